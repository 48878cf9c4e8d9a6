"""Finds out that an engine's process hangs, or cannot go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from engine.api import ENGINE_BROKEN, EngineError

_STEPS = 10
"""Its patience is so many waits, with nothing done in any of them."""

_UNWATCHED = 60.0
"""Where no watchdog is wanted, an engine is asked as often as with one of so many seconds."""


async def watch(ask: Callable[[], Awaitable[object]], done: Callable[[], int], seconds: float) -> str:
    """Asks an engine how it is, again and again; returns why it has to be ended.

    Args:
        ask: brings what the engine says of itself; an EngineError with `ENGINE_BROKEN` means that it cannot
            go on.
        done: how much it has done so far, in any unit.
        seconds: for which it may give no sign of life; 0: for ever.
    """
    while True:
        await asyncio.sleep((seconds or _UNWATCHED) / 4)
        try:
            await sign_of_life(ask, done, seconds)
        except TimeoutError:
            return f"has given no sign of life for {seconds:g} s: it is killed"
        except EngineError as error:
            if error.code == ENGINE_BROKEN:
                return f"cannot go on: {error.message}"


async def sign_of_life(ask: Callable[[], Awaitable[object]], done: Callable[[], int], seconds: float) -> None:
    """Returns once the engine has told how it is.

    Whatever it does meanwhile is a sign of life too: where much is going on, the reply stands behind it. And
    a step that this process was late for counts as one, however late it was.

    Raises:
        TimeoutError: the engine did nothing for so many seconds.
        EngineError: as `ask` does.
    """
    asked = asyncio.ensure_future(ask())
    silent, before = 0, done()
    try:
        while not asked.done():
            if silent == _STEPS:
                raise TimeoutError
            await asyncio.wait([asked], timeout=seconds / _STEPS if seconds else None)
            now = done()
            silent, before = (silent + 1 if now == before else 0), now
        await asked
    finally:
        asked.cancel()
