"""The engine in a process of its own, so that its Python never delays a socket of the gateway."""

from __future__ import annotations

import asyncio
import itertools
import logging
import weakref
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

from engine.api import (
    ENGINE_BROKEN,
    Audio,
    Engine,
    EngineError,
    Event,
    Finished,
    Request,
    Voice,
)
from engine.child import AnyChild, Child, Start
from engine.sent import SentSounds
from engine.settings import EngineSettings
from engine.stats import EngineStats
from engine.watchdog import watch
from engine.wire import (
    Answered,
    AskStats,
    AskTurn,
    AskVoices,
    Cancel,
    Forget,
    Listen,
    Refused,
    Respond,
    Stats,
    TurnOver,
    Voices,
)

log = logging.getLogger(__name__)

FIRST_DELAY = 0.25
"""Seconds before a child that died is started again; doubled after each failure."""

LONGEST_DELAY = 30.0


class ProcessEngine(Engine):
    """Forwards to an engine in a child process, and starts another child when that one dies.

    The requests carry the whole conversation, so a new child needs to be told nothing.

    Args:
        start: starts a child elsewhere, None: on this machine.
    """

    def __init__(self, settings: EngineSettings, start: Start | None = None) -> None:
        self.model = settings.model
        self._settings = settings
        self._start_elsewhere = start
        self._child: AnyChild | None = None
        self._sent = SentSounds()
        self._up = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._why_down = EngineError("engine_closed", "the engine is not open")
        self._keys = itertools.count(1)
        # Only the answer's generator holds the answer, so one that nobody reads any more leaves by itself.
        self._answers: weakref.WeakValueDictionary[int, _Answer] = weakref.WeakValueDictionary()
        self._named: weakref.WeakValueDictionary[str, _Answer] = weakref.WeakValueDictionary()
        """The same by their requests' ids."""
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._starts = 0
        self._done = 0
        """Events of answers that children have sent."""

    @property
    def pid(self) -> int | None:
        """The child's process id; None while there is no child that serves."""
        return self._child.pid if self._child else None

    @property
    def up(self) -> bool:
        """A child serves."""
        return self._child is not None

    async def recovered(self) -> None:
        """Returns once a child serves, at once if one does."""
        await self._up.wait()

    async def open(self) -> None:
        child = await self._start()
        self._adopt(child)
        self._keeper = asyncio.create_task(self._keep(child), name="engine-keeper")

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            self._keeper = None
        child = self._child
        self._abandon(EngineError("engine_closed", "the engine was closed"))
        self._why_down = EngineError("engine_closed", "the engine is closed")
        if child is not None:
            await child.end()

    def respond(self, request: Request) -> AsyncIterator[Event]:
        if self._child is None:
            return _only(_failed(self._why_down))
        if self._find(request.id) is not None:
            message = f"an answer with id {request.id!r} is running already"
            return _only(_failed(EngineError("duplicate_request", message)))
        key = next(self._keys)
        answer = self._answers[key] = self._named[request.id] = _Answer(key)
        # Never waits: the child reads at once, so at most one conversation is buffered here.
        self._child.send(Respond(key, self._strip(self._child, request)))
        return self._stream(answer)

    async def cancel(self, request_id: str) -> None:
        answer = self._find(request_id)
        if answer is not None and self._child is not None:
            self._child.send(Cancel(answer.key))

    async def listen(self, audio: Audio, before: Request | None = None) -> None:
        # A child that died knows nothing of what came before: the request brings it the whole.
        if self._child is None or (before is None and audio.id not in self._sent.arriving):
            return
        self._sent.more(audio)
        self._child.send(Listen(audio, self._strip(self._child, before) if before else None))

    async def forget(self, audio_ids: Sequence[str]) -> None:
        if self._child is not None and (known := self._sent.forget(audio_ids)):
            self._child.send(Forget(known))

    async def voices(self) -> list[Voice]:
        """Raises EngineError (`engine_restarting`, `engine_died`, `engine_closed`) where no child can say."""
        return await self._call(AskVoices)

    async def turn_over(self, audio: Audio) -> float:
        """Raises EngineError as `voices` does, or the child's own."""
        return await self._call(lambda call: AskTurn(call, audio))

    async def stats(self) -> EngineStats:
        """Raises EngineError as `voices` does."""
        return replace(await self._call(AskStats), starts=self._starts)

    async def _call(self, message: Callable[[int], AskVoices | AskTurn | AskStats]) -> Any:
        if self._child is None:
            raise self._why_down
        call = next(self._keys)
        reply = self._calls[call] = asyncio.get_running_loop().create_future()
        self._child.send(message(call))
        try:
            return await reply
        finally:
            del self._calls[call]

    # --- answers

    async def _stream(self, answer: _Answer) -> AsyncIterator[Event]:
        try:
            while True:
                event = await answer.events.get()
                yield event
                if isinstance(event, Finished):
                    return
        finally:
            if self._answers.pop(answer.key, None) is not None and self._child is not None:
                self._child.send(Cancel(answer.key))

    def _find(self, request_id: str) -> _Answer | None:
        answer = self._named.get(request_id)
        return answer if answer and answer.key in self._answers else None

    def _strip(self, child: AnyChild, request: Request) -> Request:
        light, longer = self._sent.strip(request)
        if longer:
            child.send(Forget(longer))
        return light

    # --- the child's life

    def _adopt(self, child: AnyChild) -> None:
        self._child = child
        self._starts += 1
        self._sent = SentSounds()
        self.model = child.model
        self._up.set()

    def _abandon(self, error: EngineError) -> None:
        """There is no child any more: end all that it was asked for with `error`."""
        self._child = None
        self._up.clear()
        for answer in list(self._answers.values()):
            answer.events.put_nowait(_failed(error))
        self._answers.clear()
        for reply in self._calls.values():
            if not reply.done():
                reply.set_exception(error)

    async def _keep(self, child: AnyChild) -> None:
        """Listen to the child; when it dies, start another, for ever."""
        while True:
            watchdog = asyncio.create_task(self._watch(child), name="engine-watchdog")
            try:
                await self._listen(child)
            finally:
                watchdog.cancel()
            self._why_down = EngineError(
                "engine_restarting", "the engine's process ended and is being started again; try again soon"
            )
            self._abandon(
                EngineError("engine_died", "the engine's process ended in the middle of this answer")
            )
            log.error("the engine's process %s", await child.end())
            child = await self._restart()
            self._adopt(child)
            log.info("the engine's process serves again")

    async def _watch(self, child: AnyChild) -> None:
        """Kill a child that gives no sign of life, or says that it cannot answer any more."""
        why = await watch(self.stats, lambda: self._done, self._settings.watchdog_s)
        log.error("the engine's process %s", why)
        child.kill()

    async def _start(self) -> AnyChild:
        return await (self._start_elsewhere or Child.start)(self._settings)

    async def _restart(self) -> AnyChild:
        delay = FIRST_DELAY
        while True:
            await asyncio.sleep(delay)
            try:
                return await self._start()
            except EngineError as error:
                delay = min(2 * delay, LONGEST_DELAY)
                log.error("the engine cannot be started, next try in %.1f s: %s", delay, error.message)
                self._why_down = EngineError(
                    "engine_restarting", f"the engine's process ended and cannot be started: {error.message}"
                )

    async def _listen(self, child: AnyChild) -> None:
        """Hand out what the child says until it says no more.

        Never waits for a reader: one slow session must not hold up the others. What waits for it is
        bounded by the longest answer, `EngineSettings.max_seconds`.
        """
        while (message := await child.receive()) is not None:
            match message:
                case Answered(key, event):
                    self._done += 1
                    answer = self._answers.get(key)
                    if answer is not None:
                        answer.events.put_nowait(event)
                        if isinstance(event, Finished):
                            del self._answers[key]
                            if event.code == ENGINE_BROKEN:
                                log.error("the engine's process cannot go on: %s", event.message)
                                child.kill()
                    elif not isinstance(event, Finished):
                        child.send(Cancel(key))
                case Voices(call, result) | TurnOver(call, result) | Stats(call, result):
                    if (reply := self._calls.get(call)) is not None and not reply.done():
                        reply.set_result(result)
                case Refused(code, text, call) if call is not None:
                    if (reply := self._calls.get(call)) is not None and not reply.done():
                        reply.set_exception(EngineError(code, text))


class _Answer:
    """One answer that the child is making. `key` names it on the wire."""

    def __init__(self, key: int) -> None:
        self.key = key
        self.events: asyncio.Queue[Event] = asyncio.Queue()


def _failed(error: EngineError) -> Finished:
    return Finished("failed", code=error.code, message=error.message)


async def _only(event: Event) -> AsyncIterator[Event]:
    yield event
