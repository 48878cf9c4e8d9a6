"""Who is here, and how they are seen out when the server is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol

_GOODBYE_S = 5.0


class Guest(Protocol):
    """A session that is held."""

    def leave_when_done(self) -> None:
        """End as soon as no answer is made."""

    def leave_now(self) -> None:
        """End, whatever is under way."""


class Draining:
    """Sessions and requests that are here. `stopping`: nobody else comes in."""

    def __init__(self) -> None:
        self.stopping = False
        self.requests = 0
        self._guests: set[Guest] = set()
        self._left = asyncio.Event()

    @contextlib.contextmanager
    def guest(self, guest: Guest) -> Iterator[None]:
        """A session is here for so long."""
        self._guests.add(guest)
        if self.stopping:
            guest.leave_when_done()
        try:
            yield
        finally:
            self._guests.discard(guest)
            self._left.set()

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """A request is answered for so long."""
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1
            self._left.set()

    async def see_out(self, seconds: float) -> None:
        """Let everybody finish what is under way, for so long at most; then they leave all the same."""
        self.stopping = True
        for guest in tuple(self._guests):
            guest.leave_when_done()
        await self._until(lambda: not self._guests and not self.requests, seconds)
        for guest in tuple(self._guests):
            guest.leave_now()
        # What is told them has to be sent too.
        await self._until(lambda: not self._guests, _GOODBYE_S)

    async def _until(self, empty: Callable[[], bool], seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not empty():
                    self._left.clear()
                    await self._left.wait()
