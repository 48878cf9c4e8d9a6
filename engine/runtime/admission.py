"""How many answers a machine speaks at once without gaps: measured before anybody talks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from engine.api import EngineError
from engine.chroma.reasoner import Thought
from engine.chroma.speaker import Spoken
from engine.runtime.job import Job, Reason, Said
from engine.runtime.loop import FRAME_SECONDS, FrameLoop

SHARE = 0.8
"""Of a frame's own length, what its turn may take: the rest is for prompts to be read, and for the host."""
_TURNS = 8
_ROUNDS = 2


class _Trial:
    """Hears one answer of a measurement. `frames` it has been given; `over`: why it ended."""

    def __init__(self) -> None:
        self.frames = 0
        self.over: Reason | None = None

    def thought(self, thought: Thought) -> Said:
        return Said((replace(thought.pair, last=False),))

    def begun(self, kept: int) -> None:
        pass

    def spoken(self, spoken: Spoken) -> None:
        self.frames += 1

    def finished(self, reason: Reason, error: EngineError | None) -> None:
        self.over = reason


def measure(
    loop: FrameLoop,
    job: Job,
    sizes: Sequence[int],
    clock: Callable[[], float],
    budget: float = SHARE * FRAME_SECONDS,
) -> dict[int, float]:
    """Seconds of a turn in which so many answers speak, by their number.

    Args:
        loop: with nothing in it.
        job: an answer with text for some dozens of frames.
        clock: seconds, of any beginning.
        sizes: how many at once, ascending; once a turn takes longer than `budget` the rest is not tried.
    """
    seconds: dict[int, float] = {}
    for size in sizes:
        seconds[size] = min(_turn(loop, job, size, clock) for _ in range(_ROUNDS))
        if seconds[size] > budget:
            break
    return seconds


def _turn(loop: FrameLoop, job: Job, size: int, clock: Callable[[], float]) -> float:
    """Mean seconds of some turns, once all of so many answers speak."""
    trials = [_Trial() for _ in range(size)]
    for number, trial in enumerate(trials):
        loop.submit(replace(job, id=f"{job.id} {number}"), trial)
    while any(not trial.frames and not trial.over for trial in trials):
        loop.turn()
    begin = clock()
    for _ in range(_TURNS):
        loop.turn()
    taken = (clock() - begin) / _TURNS
    # Fewer than so many were measured, or a machine on which so many are one too many.
    whole = not any(trial.over for trial in trials)
    for number in range(size):
        loop.cancel(f"{job.id} {number}")
    while loop.busy:
        loop.turn()
    return taken if whole else math.inf


def capacity(seconds: Mapping[int, float], budget: float = SHARE * FRAME_SECONDS) -> int:
    """The most answers whose turn takes no longer than `budget`, between two sizes that were measured by a
    straight line; at least 1."""
    most = 1
    for size, taken in sorted(seconds.items()):
        if taken <= budget:
            most = size
        elif most in seconds and seconds[most] <= budget:
            steps = (size - most) * (budget - seconds[most]) / (taken - seconds[most])
            return most + int(steps)
    return most
