"""Frames of a WebSocket that go straight to their session, without a task that waits for each.

uvicorn puts what comes into a queue and wakes whoever waits there, through the event loop and five
coroutines: with hundreds of sessions, a quarter of what a piece of sound costs. Here the reader is called,
and the queue is left to what it has to wait for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

EXTENSION = "chroma.frames"
"""In the scope's extensions: a function of a `Reader`. From then on, a frame that comes while somebody waits
in `receive` goes to the reader, if that takes it; all others, and the end, come by `receive` as ever."""


class Reader(Protocol):
    """Takes frames as they come. Neither method raises."""

    def pause(self) -> float | None:
        """Asked before each frame. None: it takes one. Else it does not yet, and is to be asked again in so
        many seconds; 0: once others have had their turn."""
        ...

    def receive(self, frame: str | bytes) -> None:
        """The next frame; bytes for a binary one."""
        ...


def frame_of(message: Mapping[str, Any]) -> str | bytes:
    """What a `websocket.receive` holds; one of its two keys may be missing."""
    text: str | None = message.get("text")
    return message["bytes"] if text is None else text


class _Queue(asyncio.Queue[Any]):
    """uvicorn's, of what the app is to receive."""

    def __init__(self) -> None:
        super().__init__()
        self.reader: Reader | None = None
        self.waits = False
        """A frame came by here that no reader took."""
        self._awaited = False

    def hand_to(self, reader: Reader) -> None:
        self.reader = reader

    async def get(self) -> Any:
        self._awaited = True
        try:
            return await super().get()
        finally:
            self._awaited = False

    def put_nowait(self, item: Any) -> None:
        frame = item["type"] == "websocket.receive"
        if frame and self._take(item):
            return
        self.waits = self.waits or frame
        super().put_nowait(item)

    def _take(self, message: Any) -> bool:
        # Whoever has not come back for more has something to hand over first.
        reader = self.reader if self._awaited and self.empty() else None
        if reader is None or reader.pause() is not None:
            return False
        reader.receive(frame_of(message))
        return True


class FrameProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol with the extension above."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue = self._inbox = _Queue()

    async def run_asgi(self) -> None:
        extensions: dict[str, Any] = self.scope["extensions"]
        extensions[EXTENSION] = self._inbox.hand_to
        await super().run_asgi()

    def data_received(self, data: bytes) -> None:
        # With every frame uvicorn stops reading until it is received. It is let believe that it has, and
        # reading is stopped for those alone that really wait.
        paused, self.read_paused, self._inbox.waits = self.read_paused, True, False
        super().data_received(data)
        if not paused and self.read_paused:
            if self._inbox.waits:
                self.transport.pause_reading()
            else:
                self.read_paused = False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # They would hold one another for ever.
        self._inbox.reader = None
