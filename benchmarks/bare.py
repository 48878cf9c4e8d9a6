"""The floor under a gateway: a WebSocket server that reads what clients send, and answers probes alone.

The same uvicorn with the same settings as the gateway, and no more than that: no JSON is read of sound,
nothing is decoded, nobody listens. `python -m benchmarks.bare --port 0`.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
from typing import Any

import orjson
import uvicorn

from realtime.server.serving import server_config
from realtime.server.settings import ServerSettings

_APPEND = '{"type":"input_audio_buffer.append"'
_CREATED = '{"type":"session.created","session":{}}'


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """One connection."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": _CREATED})
    while (message := await receive())["type"] != "websocket.disconnect":
        text = message["text"]
        if not text.startswith(_APPEND):
            event_id = orjson.loads(text).get("event_id")
            error = {"type": "invalid_request_error", "code": "bare", "event_id": event_id}
            answer = {"type": "error" if event_id else "session.updated", "error": error}
            await send({"type": "websocket.send", "text": orjson.dumps(answer).decode()})


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bare", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", options.port), backlog=1024)
    config: Any = server_config(app, ServerSettings())  # type: ignore[arg-type]
    config.lifespan = "off"
    server = uvicorn.Server(config)
    address = f"ws://127.0.0.1:{listener.getsockname()[1]}"
    print(f"Ready: {address}/v1/realtime echoes.", file=sys.stderr, flush=True)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[listener]))


if __name__ == "__main__":
    main()
