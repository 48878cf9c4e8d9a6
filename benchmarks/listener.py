"""What those who listen get: how long they wait, whether they run dry, how evenly sound comes.

A listener begins to play at the first sound and plays at real time. It runs dry when all that came has been
played and more is to come. All times are seconds on one clock.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field

from realtime.server.playback import Playback


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer, when it is over.

    Attributes:
        wait: from the question's end to the first sound; None: none came.
        gaps: how long each silence was in which the listener had run dry.
        plays: when it begins to play and when all that came has been played.
        intervals: between one piece of sound and the next.
    """

    wait: float | None = None
    gaps: tuple[float, ...] = ()
    plays: tuple[float, float] = (0.0, 0.0)
    intervals: tuple[float, ...] = ()

    def played(self, begin: float, end: float) -> float:
        """Seconds of sound played between two times; gaps count as played."""
        return max(0.0, min(self.plays[1], end) - max(self.plays[0], begin))

    @property
    def jitter(self) -> list[float]:
        """By how much each interval differs from the median one of its answer."""
        if not self.intervals:
            return []
        usual = statistics.median(self.intervals)
        return [abs(each - usual) for each in self.intervals]


class Listener:
    """Hears one answer, to a question that ended at `asked`."""

    def __init__(self, asked: float) -> None:
        self.asked = asked
        self.last = asked
        """When the last piece of sound came."""
        self._playback = Playback()
        self._intervals: list[float] = []

    @property
    def hears(self) -> bool:
        """Sound has come."""
        return self._playback.first is not None

    def hear(self, now: float, pcm: bytes) -> None:
        """A piece of sound comes."""
        if self.hears:
            self._intervals.append(now - self.last)
        self._playback.add(now, pcm)
        self.last = now

    def over(self, now: float, *, whole: bool) -> Heard:
        """The answer ends here. `whole`: all of it has come, so that silence from now on is no gap."""
        first = self._playback.first
        if first is None:
            return Heard()
        gaps = self._playback.gaps
        dry = first + self._playback.seconds + sum(gaps)
        if not whole and now > dry:
            gaps.append(now - dry)
        return Heard(first - self.asked, tuple(gaps), (first, dry), tuple(self._intervals))


@dataclass
class Level:
    """Sessions at once, and what they heard: a list of answers for each.

    `failures` are answers that the engine or the server could not give.
    """

    sessions: int
    heard: list[list[Heard]] = field(default_factory=list)
    failures: int = 0

    @property
    def answers(self) -> list[Heard]:
        """Of all sessions."""
        return [answer for session in self.heard for answer in session]

    @property
    def waits(self) -> list[float]:
        """Seconds to the first sound of each answer that had any."""
        return [answer.wait for answer in self.answers if answer.wait is not None]

    @property
    def silent(self) -> int:
        """Answers that had no sound by the time at which their session went on."""
        return sum(answer.wait is None for answer in self.answers)

    @property
    def gaps(self) -> list[float]:
        """Seconds of every silence."""
        return [gap for answer in self.answers for gap in answer.gaps]

    @property
    def dry(self) -> int:
        """Sessions that ran dry at least once."""
        return sum(any(answer.gaps for answer in session) for session in self.heard)

    @property
    def good(self) -> bool:
        """Every answer sounded, and nobody ran dry."""
        return bool(self.answers) and not (self.dry or self.silent or self.failures)


def most_good(levels: Iterable[Level]) -> int:
    """The most sessions of which nobody ran dry, no smaller number of them having failed either; 0: none."""
    most = 0
    for level in sorted(levels, key=lambda level: level.sessions):
        if not level.good:
            break
        most = level.sessions
    return most
