"""`GET /v1/realtime`: WebSockets, from their handshake to their session."""

from __future__ import annotations

import contextlib
import time
from typing import Literal

from starlette.websockets import WebSocket, WebSocketDisconnect

from realtime.protocol.errors import ProtocolError
from realtime.protocol.ids import random_id
from realtime.server.beta_transport import BetaTransport
from realtime.server.connection import Connection
from realtime.server.gateway import Gateway
from realtime.server.transport import Transport, WebSocketTransport
from realtime.server.wire import encode
from realtime.session.session import Session

_SUBPROTOCOL = "realtime"
_BETA_SUBPROTOCOL = "openai-beta.realtime-v1"
_CLOSE_CODES = {
    "invalid_api_key": 3000,
    "engine_not_ready": 1013,
    "server_stopping": 1013,
    "session_limit_reached": 1013,
}
"""3000 and 4000 are for good, clients come again after 1013."""


class SocketRoutes:
    """One session for each WebSocket."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def realtime(self, socket: WebSocket) -> None:
        """Take the socket, find out who it is, and hold its session."""
        offered = socket.scope.get("subprotocols", [])
        await socket.accept(_SUBPROTOCOL if _SUBPROTOCOL in offered else None)
        try:
            await self._hold(socket, offered)
        except ProtocolError as error:
            self._gateway.metrics.errors.labels("handshake", error.code).inc()
            await _refuse(socket, error)

    async def _hold(self, socket: WebSocket, offered: list[str]) -> None:
        """Raises ProtocolError where there is no session for this client."""
        gateway = self._gateway
        caller = gateway.access.admit(socket.headers, socket.query_params, offered)
        gateway.check_ready()
        with gateway.session(caller):
            kind: Literal["realtime", "transcription"] = "realtime"
            asked = (caller.session or {}).get("type") or socket.query_params.get("intent")
            if asked == "transcription":
                kind = "transcription"
            config = await gateway.session_config(kind, caller, caller.session)
            session = Session(config, clock=time.time)
            transport: Transport = WebSocketTransport(socket)
            if "realtime=v1" in socket.headers.get("openai-beta", "") or _BETA_SUBPROTOCOL in offered:
                transport = BetaTransport(transport)
            with gateway.services.recorded(transport, session) as (transport, _):
                await Connection(transport, session, gateway.services).run()


async def _refuse(socket: WebSocket, error: ProtocolError) -> None:
    """As the live service does: the connection is taken, told why not, and closed."""
    event = {"type": "error", "event_id": random_id("event"), "error": error.body(None)}
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await socket.send_text(encode(event))
        await socket.close(_CLOSE_CODES.get(error.code, 4000), f"{error.kind}.{error.code}")
