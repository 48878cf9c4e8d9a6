"""How frames travel, whatever carries them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect

from realtime.server.frames import EXTENSION, Reader, frame_of
from realtime.session.effects import SendAudio

log = logging.getLogger(__name__)


class GoneError(Exception):
    """The other side has left."""


class Transport(Protocol):
    """Carries events both ways, one frame each."""

    async def read(self, reader: Reader) -> None:
        """Give it every frame that comes, until the other side has left."""
        ...

    async def send(self, frame: str) -> None:
        """Raises GoneError."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Nothing follows. Raises GoneError."""
        ...


async def hand(frame: str | bytes, reader: Reader) -> None:
    """Give it a frame, as soon as it takes one."""
    while (wait := reader.pause()) is not None:  # noqa: ASYNC110 - it says for how long
        await asyncio.sleep(wait)
    reader.receive(frame)


class Through:
    """A reader who is given what `change` makes of each frame. What it cannot change goes on as it came: the
    session says what is wrong with it."""

    def __init__(self, reader: Reader, change: Callable[[str | bytes], str | bytes]) -> None:
        self._reader, self._change = reader, change

    def receive(self, frame: str | bytes) -> None:
        try:
            frame = self._change(frame)
        except Exception:
            log.debug("a frame goes on as it came", exc_info=True)
        self._reader.receive(frame)

    def pause(self) -> float | None:
        return self._reader.pause()


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

    async def read(self, reader: Reader) -> None:
        if hand_to := self._socket.scope.get("extensions", {}).get(EXTENSION):
            hand_to(reader)
        # What it did not take at once, and, where the server cannot hand frames over, all.
        while (message := await self._next())["type"] != "websocket.disconnect":
            await hand(frame_of(message), reader)

    async def _next(self) -> Message:
        try:
            return await self._socket.receive()
        except RuntimeError:
            return {"type": "websocket.disconnect"}

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
