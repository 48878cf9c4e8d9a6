"""How frames travel, whatever carries them."""

from __future__ import annotations

from typing import Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect

from realtime.session.effects import SendAudio


class GoneError(Exception):
    """The other side has left."""


class Transport(Protocol):
    """Carries events both ways, one frame each."""

    async def receive(self) -> str | bytes:
        """The next frame; bytes for a binary one. Raises GoneError."""
        ...

    async def send(self, frame: str) -> None:
        """Raises GoneError."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Nothing follows. Raises GoneError."""
        ...


class Player(Protocol):
    """Plays answers itself, so that their sound needs no events. Its position is told to the session by
    `Session.playback_started`, `playback_stopped` and `playback_cleared`."""

    def play(self, effect: SendAudio) -> None: ...

    def clear(self) -> None:
        """Drop all that is not played yet."""
        ...


class WebSocketTransport:
    """An accepted WebSocket."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def receive(self) -> str | bytes:
        try:
            message = await self._socket.receive()
        except RuntimeError as error:
            raise GoneError from error
        if message["type"] == "websocket.disconnect":
            raise GoneError
        text = message.get("text")
        return message["bytes"] if text is None else text

    async def send(self, frame: str) -> None:
        try:
            await self._socket.send_text(frame)
        except (WebSocketDisconnect, RuntimeError) as error:
            # What uvicorn and Starlette raise where the client is gone already.
            raise GoneError from error

    async def close(self, code: int, reason: str) -> None:
        try:
            await self._socket.close(code, reason)
        except (WebSocketDisconnect, RuntimeError) as error:
            raise GoneError from error
