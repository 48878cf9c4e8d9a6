"""uvicorn's HTTP protocol for a public network: so many connections, and so long for a request's head."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class PunctualProtocol(H11Protocol):
    """Drops connections that are too many, and those that do not say what they want.

    Args:
        max_connections: at once, WebSockets included.
        max_head_s: seconds that a request's head may take, from the connection's start or its first byte;
            and the rest of a body that was answered before it was read, from the first byte after the answer.
    """

    def __init__(self, *, max_connections: int, max_head_s: float, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._max_connections = max_connections
        self._max_head_s = max_head_s
        self._due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self._max_connections:
            transport.abort()
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_is_here()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # uvicorn drops a body that is not wanted any more, for as long as it comes.
        unwanted = self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.DONE
        if self.conn.their_state is h11.IDLE or unwanted:
            self._wait_for_head()
        else:
            self._head_is_here()

    def _wait_for_head(self) -> None:
        if self._due is None:
            self._due = self.loop.call_later(self._max_head_s, self.transport.abort)

    def _head_is_here(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
