"""A telephone line: Twilio's Media Streams on one side, this server on the other.

python examples/twilio/bridge.py [--port 5050]

Let Twilio reach it (a tunnel such as ngrok does), and give your number https://YOUR-HOST/twiml as the webhook
of an incoming call. Both sides speak G.711 (mu-law, 8 kHz), so sound passes through as it is.
"""

import argparse
import asyncio
import base64
import os
from html import escape

import uvicorn
from openai import AsyncOpenAI
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

TELEPHONE = {"format": {"type": "audio/pcmu"}}
BYTES_PER_MS = 8


def twiml(request):
    """What Twilio asks for when a call comes in: connect it to /media."""
    url = f"wss://{request.headers['host']}/media"
    return Response(
        f'<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Response><Connect><Stream url="{escape(url)}"/></Connect></Response>',
        media_type="text/xml",
    )


class Call:
    """One call. Twilio says by its marks how much of an answer has been played, so that the model knows what
    was heard of an answer that the caller interrupts."""

    def __init__(self, twilio, model):
        self._twilio, self._model = twilio, model
        self._stream = None
        self._item = None
        self._sent = self._heard = 0

    async def from_twilio(self):
        async for message in self._twilio.iter_json():
            match message["event"]:
                case "start":
                    self._stream = message["start"]["streamSid"]
                case "media":
                    await self._model.input_audio_buffer.append(audio=message["media"]["payload"])
                case "mark":
                    item, _, heard = message["mark"]["name"].rpartition(":")
                    if item == self._item:
                        self._heard = int(heard)
                case "stop":
                    return

    async def from_model(self):
        async for event in self._model:
            match event.type:
                case "response.output_audio.delta":
                    await self._play(event.item_id, event.delta)
                case "input_audio_buffer.speech_started":
                    await self._interrupt()
                case "conversation.item.truncated":
                    print(f"The caller heard {event.audio_end_ms} ms of the answer.", flush=True)
                case "error":
                    print(event.error.message, flush=True)

    async def _play(self, item, delta):
        if item != self._item:
            self._item, self._sent, self._heard = item, 0, 0
        self._sent += len(base64.b64decode(delta))
        await self._tell("media", media={"payload": delta})
        await self._tell("mark", mark={"name": f"{item}:{self._sent}"})

    async def _interrupt(self):
        """The caller speaks: what Twilio has not played yet is thrown away, and the model is told so."""
        if self._item is None or self._heard == self._sent:
            return
        # Twilio returns the marks of what it throws away too, so they may not count from here on.
        item, self._item = self._item, None
        await self._tell("clear")
        await self._model.conversation.item.truncate(
            item_id=item, content_index=0, audio_end_ms=self._heard // BYTES_PER_MS
        )

    async def _tell(self, event, **what):
        await self._twilio.send_json({"event": event, "streamSid": self._stream, **what})


async def media(twilio):
    """Twilio's WebSocket."""
    await twilio.accept()
    client = AsyncOpenAI(
        api_key=os.environ.get("OPENAI_API_KEY", "unused"),
        base_url=os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1"),
    )
    async with client.realtime.connect(model="chroma") as model:
        listen = {**TELEPHONE, "turn_detection": {"type": "server_vad"}}
        await model.session.update(
            session={
                "type": "realtime",
                "instructions": "You speak on the telephone. Answer in one or two sentences.",
                "audio": {"input": listen, "output": TELEPHONE},
            }
        )
        call = Call(twilio, model)
        ways = [asyncio.create_task(way()) for way in (call.from_twilio, call.from_model)]
        done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        for way in done:
            if not isinstance(way.exception(), WebSocketDisconnect):
                way.result()


app = Starlette(routes=[Route("/twiml", twiml, methods=["GET", "POST"]), WebSocketRoute("/media", media)])

if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5050)
    options = parser.parse_args()
    uvicorn.run(app, host=options.host, port=options.port)
