"""When somebody speaks: probabilities of speech to turns. A pure life cycle, window by window; no sound
here, only positions in samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

WINDOW = 768
"""Samples of one window at 24 kHz: 32 ms, what the detector hears at a time."""
SAMPLES_PER_MS = 24
_HYSTERESIS = 0.15
"""Speech goes on until its probability is this far under the threshold, as Silero's own iterator has it."""


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """Speech began at `start`, the padding before it included."""

    start: int


@dataclass(frozen=True, slots=True)
class TurnPaused:
    """Silence within an open turn, long enough to ask whether the turn, from `start` to `end`, is over."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The turn holds the samples from `start` up to `end`, its trailing silence included."""

    start: int
    end: int


Happening = TurnStarted | TurnPaused | TurnEnded


class Thresholds(NamedTuple):
    """The session's turn detection, in the detector's units (samples; `speech` in windows).

    `speech` starts a turn, `silence` ends it; `pause`: silence after which somebody judges whether it is
    over, None where silence alone decides."""

    probability: float
    padding: int
    silence: int
    speech: int
    pause: int | None = None


class TurnState(NamedTuple):
    """Where one session's sound stands. `position` is where the next window begins; `floor` is the end of
    what was committed or cleared: no turn reaches back before it. `rising` counts the windows of speech
    that have not started a turn yet. `start` is where the open turn begins, None between turns.

    A tuple, as the thresholds are: every window of every session makes some, and a frozen dataclass takes
    three times as long."""

    position: int
    floor: int = 0
    rising: int = 0
    start: int | None = None
    silent_since: int | None = None
    paused: bool = False

    def needed_from(self, thresholds: Thresholds) -> int:
        """The oldest sample that a turn, open or still undecided, can reach back to."""
        if self.start is not None:
            return self.start
        return max(self.floor, self.position - self.rising * WINDOW - thresholds.padding)


def forget_before(state: TurnState, position: int) -> TurnState:
    """Sound before `position` is gone: no turn that begins from now on reaches back there."""
    if position <= state.floor:
        return state
    return state._replace(floor=position)


def cut(state: TurnState, position: int) -> TurnState:
    """Everything before `position` is taken: an open turn ends without a happening."""
    return TurnState(state.position, position)


def next_window(
    state: TurnState, probability: float, thresholds: Thresholds
) -> tuple[TurnState, Happening | None]:
    """Take the next window."""
    if state.position < state.floor:
        return state._replace(position=state.position + WINDOW), None
    if state.start is None:
        return _wait(state, probability, thresholds)
    return _follow(state, state.start, probability, thresholds)


def _wait(state: TurnState, probability: float, thresholds: Thresholds) -> tuple[TurnState, Happening | None]:
    begin, end = state.position, state.position + WINDOW
    # Speech under way may weaken for a window; what begins it may not.
    if probability < thresholds.probability - (_HYSTERESIS if state.rising > 1 else 0):
        return TurnState(end, state.floor), None
    rising = state.rising + 1
    if rising < thresholds.speech:
        return TurnState(end, state.floor, rising), None
    first = begin - (rising - 1) * WINDOW
    start = max(state.floor, first - thresholds.padding)
    return TurnState(end, state.floor, start=start), TurnStarted(start)


def _follow(
    state: TurnState, start: int, probability: float, thresholds: Thresholds
) -> tuple[TurnState, Happening | None]:
    begin, end = state.position, state.position + WINDOW
    if probability >= max(thresholds.probability - _HYSTERESIS, 0.01):
        return TurnState(end, state.floor, start=start), None
    silent_since = begin if state.silent_since is None else state.silent_since
    # Cut at the very sample where the silence is long enough: what follows belongs to the next turn.
    enough = max(silent_since + thresholds.silence, begin)
    if enough <= end:
        return TurnState(end, enough), TurnEnded(start, enough)
    pause = thresholds.pause
    paused = not state.paused and pause is not None and silent_since + pause <= end
    following = TurnState(end, state.floor, 0, start, silent_since, state.paused or paused)
    return following, TurnPaused(start, end) if paused else None
