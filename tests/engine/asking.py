"""Asking an engine and reading its answers, for the tests of the wall."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import numpy as np

from engine import Audio, AudioDelta, Event, Finished, Message, Request, Started, Text, TextDelta

PATIENCE = 20.0
"""Seconds after which an event that should come is taken not to come."""


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine; it fails rather than waits for ever."""
    asyncio.run(asyncio.wait_for(work, 2 * PATIENCE))


def user(*parts: Text | Audio) -> Message:
    return Message("user", parts)


def said(text: str, request_id: str = "r", **settings: Any) -> Request:
    return Request(request_id, (user(Text(text)),), **settings)


async def whole(events: AsyncIterator[Event]) -> tuple[str, bytes, Finished]:
    """Read an answer to its end: its text, its sound, and its one Finished, which must be the last."""
    text, sound, seen = "", b"", 0
    end: Finished | None = None
    async with asyncio.timeout(PATIENCE):
        async for event in events:
            assert end is None, f"{event} after {end}"
            seen += 1
            match event:
                case Started():
                    assert seen == 1, "Started comes first"
                case TextDelta():
                    text += event.text
                case AudioDelta():
                    sound += event.pcm
                case Finished():
                    end = event
    assert end is not None
    return text, sound, end


async def first_word(events: AsyncIterator[Event]) -> str:
    """Read an answer until it speaks; it stays in the middle."""
    async with asyncio.timeout(PATIENCE):
        assert isinstance(await anext(events), Started)
        word = await anext(events)
    assert isinstance(word, TextDelta)
    return word.text


def hum(seconds: float, rate: int = 24_000) -> np.ndarray:
    """float32 [samples], a tone loud enough to be a voice."""
    return (0.3 * np.sin(np.arange(int(seconds * rate)) / rate * 2 * np.pi * 220)).astype(np.float32)


def pcm(seconds: float) -> bytes:
    return (hum(seconds) * 32_767).astype("<i2").tobytes()
