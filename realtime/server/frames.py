"""Frames of a WebSocket that go straight to their session, without a task that waits for each.

uvicorn puts what comes into a queue and wakes whoever waits there, through the event loop and five
coroutines: with hundreds of sessions, a quarter of what a piece of sound costs. Here the reader is called.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Protocol, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

EXTENSION = "chroma.frames"
"""In the scope's extensions: a function of a `Reader`, to whom all frames go from then on. `receive` tells of
the end alone then."""


class Reader(Protocol):
    """Takes frames as they come. Neither method raises."""

    def receive(self, frame: str | bytes) -> None:
        """The next frame; bytes for a binary one."""
        ...

    def pause(self) -> float | None:
        """Seconds before it is asked again, and given no frame meanwhile; 0: others have their turn. None: it
        takes the next one. Asked after every frame."""
        ...


class _Queue(asyncio.Queue[Any]):
    """uvicorn's, of what the app is to receive."""

    def __init__(self, protocol: FrameProtocol) -> None:
        super().__init__()
        self._protocol = protocol

    def put_nowait(self, item: Any) -> None:
        if item["type"] != "websocket.receive" or not self._protocol.came(item):
            super().put_nowait(item)


class FrameProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket protocol with the extension above."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.queue = _Queue(self)
        self._reader: Reader | None = None
        self._waiting: deque[str | bytes] = deque()
        self._pause: asyncio.TimerHandle | None = None
        self._extensions: dict[str, Any] = {}

    async def run_asgi(self) -> None:
        self._extensions = cast(dict[str, Any], self.scope["extensions"])
        self._extensions[EXTENSION] = self._hand_to
        await super().run_asgi()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._pause:
            self._pause.cancel()
        # They would hold one another for ever.
        self._reader = self._pause = None
        self.queue = asyncio.Queue()
        self._extensions.clear()

    def came(self, message: dict[str, Any]) -> bool:
        """A frame came. Returns whether there is a reader to whom it goes."""
        if self._reader is None:
            return False
        text = message.get("text")
        frame = message["bytes"] if text is None else text
        if self._pause:
            self._waiting.append(frame)
        else:
            self._reader.receive(frame)
            self._ask(self._reader)
        return True

    def _hand_to(self, reader: Reader) -> None:
        self._reader = reader
        # What came before there was anybody.
        for message in [self.queue.get_nowait() for _ in range(self.queue.qsize())]:
            self.queue.put_nowait(message)
        # uvicorn stops reading with every frame, until it is received: it is let believe that it has stopped.
        self.read_paused = True
        if not self._pause:
            self.transport.resume_reading()

    def _ask(self, reader: Reader) -> None:
        wait = reader.pause()
        if wait is not None:
            self.transport.pause_reading()
            self._pause = self.loop.call_later(wait, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        if self._reader is None:
            return
        self._ask(self._reader)
        while self._waiting and not self._pause:
            self._reader.receive(self._waiting.popleft())
            self._ask(self._reader)
        if not self._pause:
            self.transport.resume_reading()
