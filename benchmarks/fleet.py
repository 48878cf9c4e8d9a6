"""Callers and GPUs as a discrete-event simulation: the frame loop's own rules, on times that are given.

A GPU makes one turn after another. Each turn reads at most one new prompt and makes one frame of each
answer that has been read, unless that answer is far ahead of its playback while there are others. An answer
that finds no place waits, and is refused when it has waited too long: all as in `engine.runtime.loop`. A
caller keeps the GPU that had fewest callers when the call began, as the prefix cache wants it.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import simpy

from benchmarks.step_times import StepTimes
from engine.runtime.admission import capacity
from engine.runtime.loop import FRAME_SECONDS
from realtime.server.playback import PlaybackClock

_AHEAD_S, _FASTEST, _PATIENCE_S = 3.0, 1.5, 2.0
"""Of `FrameLoop`: how far an answer may run ahead, at which speed it may be played, how long it may wait."""
_RETRY_S = 2.0


@dataclass(frozen=True, slots=True)
class CallMix:
    """How people talk, in seconds: means of what is drawn. Questions and answers are log-normal (`spread`
    is the standard deviation of the logarithm), pauses exponential.

    Attributes:
        pause: from the end of an answer to the next question.
        question: length of one.
        silence: after it, until the turn is taken to be over.
        answer: length of one, at most `longest`.
        barge_in: share of answers that are interrupted, at a place that is drawn evenly.
    """

    pause: float = 2.0
    question: float = 4.0
    silence: float = 0.5
    answer: float = 7.0
    longest: float = 40.0
    spread: float = 0.6
    barge_in: float = 0.15


@dataclass
class Tally:
    """What callers met, from `since` on."""

    since: float
    answers: int = 0
    with_gaps: int = 0
    refused: int = 0
    waits: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)

    @property
    def bad(self) -> float:
        """Share of answers that had a gap or were refused."""
        asked = self.answers + self.refused
        return (self.with_gaps + self.refused) / asked if asked else 0.0

    def wait(self, percent: float) -> float:
        """Seconds from the end of a turn to the first sound."""
        return float(np.percentile(self.waits, percent)) if self.waits else math.nan


class _Answer:
    """One answer in the making; `over` succeeds when it is made, cancelled or refused."""

    def __init__(self, env: simpy.Environment, frames: int, asked: float) -> None:
        self.frames, self.asked = frames, asked
        self.made, self.refused = 0, False
        self.played = PlaybackClock()
        self.gaps: list[float] = []
        self.sounded, self.over = env.event(), env.event()

    @property
    def rests_until(self) -> float:
        """When it is no longer too far ahead of its playback."""
        first = self.played.first
        if first is None:
            return 0.0
        return first + (self.made * FRAME_SECONDS - _AHEAD_S) / _FASTEST

    def frame(self, now: float) -> None:
        """One more frame has left. Times that differ by rounding alone are the same."""
        if (gap := self.played.add(now, FRAME_SECONDS)) > 1e-6:
            self.gaps.append(gap)
        self.made += 1
        if self.made == 1:
            self.sounded.succeed()
        if self.made >= self.frames:
            self.end()

    def end(self) -> None:
        if not self.over.triggered:
            self.over.succeed()


class Gpu:
    """One GPU's frame loop."""

    def __init__(self, env: simpy.Environment, times: StepTimes, slots: int) -> None:
        self._env, self._prefill = env, times.prefill
        self.room = min(slots, capacity(times.seconds))
        self._took = [times.at(max(1, batch)) for batch in range(self.room + 1)]
        self._waiting: deque[_Answer] = deque()
        self._unread: deque[_Answer] = deque()
        self._speaking: list[tuple[float, int, _Answer]] = []
        """A heap, by when each needs its next frame."""
        self._taken = 0
        self._asked = env.event()
        self._order = itertools.count()
        self.callers = 0
        self.busy = 0.0
        env.process(self._run())

    def ask(self, frames: int) -> _Answer:
        """Queue an answer of so many frames."""
        answer = _Answer(self._env, frames, self._env.now)
        self._waiting.append(answer)
        self._wake()
        return answer

    def _run(self) -> Generator[simpy.Event, Any, None]:
        env = self._env
        while True:
            self._admit()
            reading = self._unread.popleft() if self._unread else None
            ready = self._ready()
            if not ready and reading is None:
                self._asked = env.event()
                waits: list[simpy.Event] = [self._asked]
                if self._speaking:
                    waits.append(env.timeout(max(self._speaking[0][0] - env.now, 1e-4)))
                yield simpy.AnyOf(env, waits)
                continue
            took = (self._took[len(ready)] if ready else 0.0) + (self._prefill if reading else 0.0)
            self.busy += took
            yield env.timeout(took)
            if reading is not None and not reading.over.triggered:
                self._push(reading)
            for answer in ready:
                if not answer.over.triggered:
                    answer.frame(env.now)
                if not answer.over.triggered:
                    self._push(answer)

    def _ready(self) -> list[_Answer]:
        """Those who get a frame in this turn."""
        ready: list[_Answer] = []
        crowded = self._taken > 1 and not self._waiting
        while self._speaking and (not crowded or self._speaking[0][0] <= self._env.now):
            answer = heapq.heappop(self._speaking)[2]
            if not answer.over.triggered:
                ready.append(answer)
        return ready

    def _push(self, answer: _Answer) -> None:
        heapq.heappush(self._speaking, (answer.rests_until, next(self._order), answer))

    def _admit(self) -> None:
        while self._waiting:
            answer = self._waiting[0]
            if answer.over.triggered:
                self._waiting.popleft()
            elif self._env.now - answer.asked > _PATIENCE_S:
                self._waiting.popleft()
                answer.refused = True
                answer.end()
            elif self._taken < self.room:
                self._waiting.popleft()
                self._unread.append(answer)
                self._taken += 1
                answer.over.callbacks.append(self._leave)
            else:
                return

    def _leave(self, _: simpy.Event) -> None:
        self._taken -= 1
        self._wake()

    def _wake(self) -> None:
        if not self._asked.triggered:
            self._asked.succeed()


class Fleet:
    """Some GPUs and those who talk to them.

    Args:
        warm_up: seconds until the callers' turns have spread; nothing is counted before.
    """

    def __init__(
        self,
        times: StepTimes,
        mix: CallMix,
        *,
        callers: int,
        gpus: int,
        slots: int,
        warm_up: float = 30.0,
        seed: int = 1,
    ) -> None:
        self._env = simpy.Environment()
        self._mix = mix
        self._rng = np.random.default_rng(seed)
        self._tally = Tally(warm_up)
        self.gpus = [Gpu(self._env, times, slots) for _ in range(gpus)]
        for _ in range(callers):
            gpu = min(self.gpus, key=lambda each: each.callers)
            gpu.callers += 1
            self._env.process(self._call(gpu))

    def run(self, seconds: float) -> Tally:
        """Let them talk for so long after the warm-up."""
        self._env.run(self._tally.since + seconds)
        return self._tally

    def _call(self, gpu: Gpu) -> Generator[simpy.Event, Any, None]:
        env, mix, rng = self._env, self._mix, self._rng
        yield env.timeout(rng.uniform(0, self._tally.since / 2))
        while True:
            yield env.timeout(rng.exponential(mix.pause) + self._length(mix.question) + mix.silence)
            seconds = min(mix.longest, self._length(mix.answer))
            answer = gpu.ask(max(1, round(seconds / FRAME_SECONDS)))
            yield simpy.AnyOf(env, [answer.sounded, answer.over])
            if answer.refused:
                self._note(answer)
                yield env.timeout(_RETRY_S)
                continue
            if rng.random() < mix.barge_in:
                yield env.timeout(rng.uniform(0, seconds))
                answer.end()
            else:
                yield answer.over
                yield env.timeout(max(0.0, answer.played.dry_at - env.now))
            self._note(answer)

    def _length(self, mean: float) -> float:
        """Log-normal with this mean."""
        spread = self._mix.spread
        return float(self._rng.lognormal(math.log(mean) - spread**2 / 2, spread))

    def _note(self, answer: _Answer) -> None:
        tally = self._tally
        if answer.asked < tally.since:
            return
        if answer.refused or answer.played.first is None:
            tally.refused += answer.refused
            return
        tally.answers += 1
        tally.with_gaps += bool(answer.gaps)
        tally.gaps += answer.gaps
        tally.waits.append(answer.played.first - answer.asked)
