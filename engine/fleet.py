"""Several engines behind the wall as one, each in a process with GPUs of its own."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from types import AsyncGeneratorType

from engine.api import Audio, Engine, EngineError, Event, Request, Voice
from engine.placement import Placement
from engine.process import ProcessEngine
from engine.settings import EngineSettings
from engine.stats import EngineStats, Lives, total


def parted(settings: EngineSettings) -> list[EngineSettings]:
    """The settings of each engine: `tp` GPUs for every one.

    Raises:
        EngineError: `invalid_setting`, where the GPUs cannot be shared out like that.
    """
    gpus, tp = settings.gpus, settings.tp
    if len(set(gpus)) < len(gpus) or min(gpus) < 0:
        raise EngineError("invalid_setting", f"--gpus {','.join(map(str, gpus))} names a GPU that cannot be")
    if len(gpus) % tp:
        raise EngineError(
            "invalid_setting", f"--gpus names {len(gpus)} GPUs, which engines of --tp {tp} cannot share"
        )
    # What is not on the list is not to be used instead.
    device = "cuda" if settings.device == "auto" else settings.device
    return [
        replace(settings, gpus=gpus[begin : begin + tp], device=device) for begin in range(0, len(gpus), tp)
    ]


class FleetEngine(Engine):
    """Hands each conversation to one of some engines. One that dies takes the answers that it was making, and
    no conversation: the next answer comes from another, or from itself once it is back."""

    def __init__(self, engines: Sequence[ProcessEngine]) -> None:
        self._engines = engines
        self._placement = Placement(len(engines))
        self._lives = [Lives() for _ in engines]
        # An answer that nobody reads any more leaves by itself.
        self._running: list[weakref.WeakSet[_Answer]] = [weakref.WeakSet() for _ in engines]
        self._listening: dict[str, int] = {}
        """Where a sound is heard that is still being spoken."""

    @property
    def model(self) -> str:  # type: ignore[override]
        """The id under which the model is listed."""
        return self._engines[0].model

    async def open(self) -> None:
        """Raises EngineError as soon as one of them cannot start; none is left running then."""
        await self._open_all(self._engines)

    async def _open_all(self, engines: Sequence[ProcessEngine]) -> None:
        starting = [asyncio.create_task(engine.open()) for engine in engines]
        try:
            await asyncio.gather(*starting)
        except BaseException:
            for task in starting:
                task.cancel()
            await asyncio.wait(starting)
            await self.close()
            raise

    async def close(self) -> None:
        await asyncio.gather(*(engine.close() for engine in self._engines))

    def respond(self, request: Request) -> AsyncIterator[Event]:
        place = self._place(request.conversation)
        for sound in request.sounds():
            self._listening.pop(sound.id, None)
        answer = _Answer()
        self._running[place].add(answer)
        return _stream(answer, self._engines[place].respond(request))

    async def cancel(self, request_id: str) -> None:
        for engine in self._engines:
            await engine.cancel(request_id)

    async def turn_over(self, audio: Audio) -> float:
        return await self._engines[self._place(None)].turn_over(audio)

    async def listen(self, audio: Audio, before: Request | None = None) -> None:
        if before is not None:
            self._listening[audio.id] = self._place(before.conversation)
        if audio.id in self._listening:
            await self._engines[self._listening[audio.id]].listen(audio, before)

    async def forget(self, audio_ids: Sequence[str]) -> None:
        for audio_id in audio_ids:
            self._listening.pop(audio_id, None)
        for engine in self._engines:
            await engine.forget(audio_ids)

    async def voices(self) -> list[Voice]:
        return await self._engines[self._place(None)].voices()

    async def stats(self) -> EngineStats:
        """Of all that serve together, and what the others counted until they ended. Raises EngineError where
        none serves."""
        told = await asyncio.gather(*(engine.stats() for engine in self._engines), return_exceptions=True)
        errors = [each for each in told if isinstance(each, BaseException)]
        if len(errors) == len(told):
            raise errors[0]
        return total(
            [
                lives.add(each) if isinstance(each, EngineStats) else lives.ended()
                for lives, each in zip(self._lives, told, strict=True)
            ]
        )

    def _place(self, conversation: str | None) -> int:
        return self._placement.choose(conversation, self._able(), [len(running) for running in self._running])

    def _able(self) -> list[bool]:
        """Which of them may be given an answer. Where none may, any is as good."""
        return [engine.up for engine in self._engines]


class _Answer:
    """One answer that is being made, for as long as it is read."""


async def _stream(answer: _Answer, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """The events. Holding `answer` is what counts it."""
    try:
        async for event in events:
            yield event
    finally:
        del answer
        if isinstance(events, AsyncGeneratorType):
            await events.aclose()
