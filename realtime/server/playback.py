"""What a listener hears who plays an answer as it comes."""

from __future__ import annotations

from dataclasses import dataclass, field

from realtime.audio.recording import RATE

_BYTES_PER_S = RATE * 2
_AHEAD = 0.01
"""A real-time factor that no engine has. An answer that comes this fast was made before its turn had ended,
while the server waited whether more would be said."""


class PlaybackClock:
    """Sound that is played from its first piece on, at real-time pace; a gap is when it runs dry. All times
    are seconds on one clock."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.last = 0.0
        self.dry_at = 0.0
        """When all that came will have been played."""

    def add(self, now: float, seconds: float) -> float:
        """So many seconds of sound arrived. Returns for how long it had run dry before."""
        gap = 0.0
        if self.first is None:
            self.first = self.dry_at = now
        elif now > self.dry_at:
            gap = now - self.dry_at
            self.dry_at = now
        self.last = now
        self.dry_at += seconds
        return gap


class Playback:
    """Sound as it is played, kept."""

    def __init__(self) -> None:
        self.pcm = bytearray()
        self.deltas = 0
        self.gaps: list[float] = []
        self._clock = PlaybackClock()

    def add(self, now: float, pcm: bytes) -> None:
        """Sound that arrived at `now` seconds."""
        if gap := self._clock.add(now, len(pcm) / _BYTES_PER_S):
            self.gaps.append(gap)
        self.pcm += pcm
        self.deltas += 1

    @property
    def first(self) -> float | None:
        """When the first sound came."""
        return self._clock.first

    @property
    def seconds(self) -> float:
        """Length of what came."""
        return len(self.pcm) / _BYTES_PER_S

    @property
    def took(self) -> float:
        """Seconds from the first delta to the last."""
        return self._clock.last - self.first if self.first is not None else 0.0


@dataclass
class Answer:
    """One answer and what it is timed against, all in seconds on one clock.

    `speech_end`: when the last of the question's speech was sent. `asked`: when the server had taken the
    whole question (its commit; for words, the request to respond). `words`: some have come.
    """

    speech_end: float | None = None
    asked: float | None = None
    words: bool = False
    playback: Playback = field(default_factory=Playback)

    def report(self) -> list[str]:
        """Its figures, a line each."""
        played = self.playback
        if played.first is None:
            return ["the answer has no sound"]
        lines = []
        if self.speech_end is not None:
            lines.append(f"end of speech to first sound  {(played.first - self.speech_end) * 1000:7.0f} ms")
        if self.asked is not None:
            lines.append(f"commit to first sound         {(played.first - self.asked) * 1000:7.0f} ms")
        factor = played.took / played.seconds
        told = (
            f"{factor:7.2f}" if factor > _AHEAD else "  not seen: the answer was made ahead and came at once"
        )
        longest = f", longest {max(played.gaps) * 1000:.0f} ms" if played.gaps else ""
        return [
            *lines,
            f"answer                        {played.seconds:7.2f} s of sound in {played.took:.2f} s",
            f"real-time factor              {told}",
            f"gaps a listener hears         {len(played.gaps):7d}{longest}",
        ]
