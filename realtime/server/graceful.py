"""A uvicorn server that lets running answers end before it stops."""

from __future__ import annotations

import asyncio
import socket
from types import FrameType

import uvicorn

from realtime.server.draining import Draining

_LOOK_S = 0.1


class GracefulServer(uvicorn.Server):
    """Told to stop (SIGTERM, Ctrl-C), it takes no new sessions, sees out the ones that are here, and stops.
    Told twice, it stops at once.

    Args:
        seconds: that running answers have to end in.
    """

    def __init__(self, config: uvicorn.Config, draining: Draining, seconds: float) -> None:
        super().__init__(config)
        self._draining = draining
        self._seconds = seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = self.should_exit
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # The socket stays open: whoever asks /ready is told, and who comes is sent elsewhere.
        seeing_out = asyncio.create_task(self._draining.see_out(self._seconds))
        while not seeing_out.done() and not self.force_exit:
            await asyncio.wait({seeing_out}, timeout=_LOOK_S)
        seeing_out.cancel()
        await super().shutdown(sockets)
