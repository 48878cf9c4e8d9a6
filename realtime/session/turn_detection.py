"""When somebody speaks: probabilities of speech to turns. No sound here, only positions in samples."""

from __future__ import annotations

from dataclasses import dataclass

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
class TurnEnded:
    """The turn holds the samples from `start` up to `end`, its trailing silence included."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The session's turn detection, in the detector's units (samples; `speech` in windows)."""

    probability: float
    padding: int
    silence: int
    speech: int


class TurnDetector:
    """Follows one session's sound, window by window.

    `position` is where the next window begins; `floor` is the end of what was committed or cleared: no
    turn reaches back before it.
    """

    def __init__(self, position: int, floor: int = 0) -> None:
        self.position = position
        self.floor = floor
        self._rising = 0
        self._start: int | None = None
        self._silent_since: int | None = None

    @property
    def start(self) -> int | None:
        """Where the open turn begins."""
        return self._start

    def needed_from(self, thresholds: Thresholds) -> int:
        """The oldest sample that a turn, open or still undecided, can reach back to."""
        if self._start is not None:
            return self._start
        return max(self.floor, self.position - self._rising * WINDOW - thresholds.padding)

    def forget_before(self, position: int) -> None:
        """Sound before `position` is gone: no turn that begins from now on reaches back there."""
        self.floor = max(self.floor, position)

    def cut(self, position: int) -> None:
        """Everything before `position` is taken (a manual commit): an open turn ends without an event."""
        self.floor = position
        self._start = self._silent_since = None
        self._rising = 0

    def hear(self, probability: float, thresholds: Thresholds) -> TurnStarted | TurnEnded | None:
        """Take the next window."""
        begin, end = self.position, self.position + WINDOW
        self.position = end
        if begin < self.floor:
            return None
        if self._start is None:
            return self._wait(begin, probability, thresholds)
        return self._follow(begin, end, probability, thresholds)

    def _wait(self, begin: int, probability: float, thresholds: Thresholds) -> TurnStarted | None:
        if probability < thresholds.probability:
            self._rising = 0
            return None
        self._rising += 1
        if self._rising < thresholds.speech:
            return None
        first = begin - (self._rising - 1) * WINDOW
        self._rising = 0
        self._start = max(self.floor, first - thresholds.padding)
        self._silent_since = None
        return TurnStarted(self._start)

    def _follow(self, begin: int, end: int, probability: float, thresholds: Thresholds) -> TurnEnded | None:
        assert self._start is not None
        if probability >= max(thresholds.probability - _HYSTERESIS, 0.01):
            self._silent_since = None
            return None
        if self._silent_since is None:
            self._silent_since = begin
        # Cut at the very sample where the silence is long enough: what follows belongs to the next turn.
        enough = max(self._silent_since + thresholds.silence, begin)
        if enough > end:
            return None
        ended = TurnEnded(self._start, enough)
        self.floor = enough
        self._start = self._silent_since = None
        return ended
