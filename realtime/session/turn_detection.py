"""When somebody speaks: probabilities of speech to turns. A pure life cycle, window by window; no sound
here, only positions in samples."""

from __future__ import annotations

from dataclasses import dataclass, replace

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


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The session's turn detection, in the detector's units (samples; `speech` in windows).

    `speech` starts a turn, `silence` ends it; `pause`: silence after which somebody judges whether it is
    over, None where silence alone decides."""

    probability: float
    padding: int
    silence: int
    speech: int
    pause: int | None = None


@dataclass(frozen=True, slots=True)
class TurnState:
    """Where one session's sound stands. `position` is where the next window begins; `floor` is the end of
    what was committed or cleared: no turn reaches back before it. `rising` counts the windows of speech
    that have not started a turn yet. `start` is where the open turn begins, None between turns."""

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
    return replace(state, floor=max(state.floor, position))


def cut(state: TurnState, position: int) -> TurnState:
    """Everything before `position` is taken: an open turn ends without a happening."""
    return TurnState(state.position, position)


def next_window(
    state: TurnState, probability: float, thresholds: Thresholds
) -> tuple[TurnState, Happening | None]:
    """Take the next window."""
    begin = state.position
    state = replace(state, position=begin + WINDOW)
    if begin < state.floor:
        return state, None
    if state.start is None:
        return _wait(state, begin, probability, thresholds)
    return _follow(state, state.start, begin, probability, thresholds)


def _wait(
    state: TurnState, begin: int, probability: float, thresholds: Thresholds
) -> tuple[TurnState, Happening | None]:
    # Speech under way may weaken for a window; what begins it may not.
    if probability < thresholds.probability - (_HYSTERESIS if state.rising > 1 else 0):
        return replace(state, rising=0), None
    rising = state.rising + 1
    if rising < thresholds.speech:
        return replace(state, rising=rising), None
    first = begin - (rising - 1) * WINDOW
    start = max(state.floor, first - thresholds.padding)
    return TurnState(state.position, state.floor, start=start), TurnStarted(start)


def _follow(
    state: TurnState, start: int, begin: int, probability: float, thresholds: Thresholds
) -> tuple[TurnState, Happening | None]:
    if probability >= max(thresholds.probability - _HYSTERESIS, 0.01):
        return replace(state, silent_since=None, paused=False), None
    silent_since = begin if state.silent_since is None else state.silent_since
    # Cut at the very sample where the silence is long enough: what follows belongs to the next turn.
    enough = max(silent_since + thresholds.silence, begin)
    if enough <= state.position:
        return TurnState(state.position, enough), TurnEnded(start, enough)
    state = replace(state, silent_since=silent_since)
    pause = thresholds.pause
    if pause is None or state.paused or silent_since + pause > state.position:
        return state, None
    return replace(state, paused=True), TurnPaused(start, state.position)
