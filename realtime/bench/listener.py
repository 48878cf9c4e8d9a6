"""What those who listen get: how long they wait, whether they run dry, how evenly sound comes.

A listener begins to play at the first sound and plays at real time. It runs dry when all that came has been
played and more is to come. All times are seconds on one clock.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field

from realtime.audio.recording import RATE
from realtime.server.playback import PlaybackClock

_BYTES_PER_S = 2 * RATE


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer, when it is over.

    Attributes:
        wait: from the question's end to the first sound; None: none came.
        since_speech: from the end of the question's speech to the first sound; None: none came, or nobody
            knows.
        gaps: how long each silence was in which the listener had run dry.
        plays: when it begins to play and when all that came has been played.
        intervals: between one piece of sound and the next.
    """

    wait: float | None = None
    gaps: tuple[float, ...] = ()
    plays: tuple[float, float] = (0.0, 0.0)
    intervals: tuple[float, ...] = ()
    since_speech: float | None = None

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
    """Hears one answer, to a question that ended at `asked`, and its speech, where that is known, at
    `speech_end`."""

    def __init__(self, asked: float, speech_end: float | None = None) -> None:
        self.asked = asked
        self.speech_end = speech_end
        self.last = asked
        """When the last piece of sound came."""
        self._clock = PlaybackClock()
        self._gaps: list[float] = []
        self._intervals: list[float] = []

    @property
    def hears(self) -> bool:
        """Sound has come."""
        return self._clock.first is not None

    def hear(self, now: float, pcm: bytes) -> None:
        """A piece of sound comes."""
        if self.hears:
            self._intervals.append(now - self.last)
        if gap := self._clock.add(now, len(pcm) / _BYTES_PER_S):
            self._gaps.append(gap)
        self.last = now

    def over(self, now: float, *, whole: bool) -> Heard:
        """The answer ends here. `whole`: all of it has come, so that silence from now on is no gap."""
        first, dry = self._clock.first, self._clock.dry_at
        if first is None:
            return Heard()
        gaps = list(self._gaps)
        if not whole and now > dry:
            gaps.append(now - dry)
        since = None if self.speech_end is None else first - self.speech_end
        return Heard(first - self.asked, tuple(gaps), (first, dry), tuple(self._intervals), since)


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
