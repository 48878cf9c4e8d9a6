"""The operator's own mark in everything that is spoken: `serve --watermark module:function`.

`function(answer_id)` is called once for each answer that has sound, and returns what marks it: a function
from PCM16 (little-endian, mono, 24 kHz, whole samples, 80 ms at a time) to as many bytes of it. That is
called in order, so that it may carry state, and on the server's event loop, so it has to be quick. Sound
that could not be marked is never sent: the answer fails as `watermark_failed`.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence

from engine import Audio, AudioDelta, Engine, EngineError, EngineStats, Event, Finished, Request, Voice

log = logging.getLogger(__name__)

Mark = Callable[[bytes], bytes]
Marker = Callable[[str], Mark]


def find_marker(name: str) -> Marker:
    """The function of this name, as "module:function".

    Raises:
        EngineError: `invalid_setting`, there is none.
    """
    module, _, function = name.partition(":")
    try:
        marker = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise EngineError("invalid_setting", f"--watermark {name}: {error}") from None
    if not callable(marker):
        raise EngineError("invalid_setting", f"--watermark {name} is no function")
    return marker


class MarkedEngine(Engine):
    """An engine all of whose sound is marked, whichever way it leaves."""

    def __init__(self, engine: Engine, marker: Marker) -> None:
        self._engine = engine
        self._marker = marker

    @property
    def model(self) -> str:  # type: ignore[override]
        return self._engine.model

    async def open(self) -> None:
        await self._engine.open()

    async def close(self) -> None:
        await self._engine.close()

    def respond(self, request: Request) -> AsyncIterator[Event]:
        return self._marked(request.id, self._engine.respond(request))

    async def cancel(self, request_id: str) -> None:
        await self._engine.cancel(request_id)

    async def turn_over(self, audio: Audio) -> float:
        return await self._engine.turn_over(audio)

    async def listen(self, audio: Audio, before: Request | None = None) -> None:
        await self._engine.listen(audio, before)

    async def forget(self, audio_ids: Sequence[str]) -> None:
        await self._engine.forget(audio_ids)

    async def voices(self) -> list[Voice]:
        return await self._engine.voices()

    async def stats(self) -> EngineStats:
        return await self._engine.stats()

    async def _marked(self, answer_id: str, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
        mark: Mark | None = None
        async with contextlib.aclosing(events) as closing:  # type: ignore[type-var]
            async for event in closing:
                if not isinstance(event, AudioDelta):
                    yield event
                    continue
                try:
                    mark = mark or self._marker(answer_id)
                    pcm = bytes(mark(event.pcm))
                    if len(pcm) != len(event.pcm):
                        raise ValueError(f"it made {len(pcm)} bytes of {len(event.pcm)}")
                except Exception as error:
                    log.exception("answer %s could not be marked", answer_id)
                    message = f"The sound could not be marked: {error}."
                    yield Finished("failed", code="watermark_failed", message=message)
                    return
                yield AudioDelta(pcm)
