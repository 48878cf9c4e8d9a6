"""What a listener hears who plays an answer as it comes."""

from __future__ import annotations

from dataclasses import dataclass, field

RATE = 24_000
_BYTES_PER_S = RATE * 2


class Playback:
    """Sound that is played from its first delta on, at real-time pace; a gap is when it runs dry."""

    def __init__(self) -> None:
        self.pcm = bytearray()
        self.deltas = 0
        self.gaps: list[float] = []
        self.first: float | None = None
        self._last = 0.0
        self._dry_at = 0.0

    def add(self, now: float, pcm: bytes) -> None:
        """Sound that arrived at `now` seconds."""
        if self.first is None:
            self.first = self._dry_at = now
        elif now > self._dry_at:
            self.gaps.append(now - self._dry_at)
            self._dry_at = now
        self.pcm += pcm
        self.deltas += 1
        self._last = now
        self._dry_at += len(pcm) / _BYTES_PER_S

    @property
    def seconds(self) -> float:
        """Length of what came."""
        return len(self.pcm) / _BYTES_PER_S

    @property
    def took(self) -> float:
        """Seconds from the first delta to the last."""
        return self._last - self.first if self.first is not None else 0.0


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
        longest = f", longest {max(played.gaps) * 1000:.0f} ms" if played.gaps else ""
        return [
            *lines,
            f"answer                        {played.seconds:7.2f} s of sound in {played.took:.2f} s",
            f"real-time factor              {played.took / played.seconds:7.2f}",
            f"gaps a listener hears         {len(played.gaps):7d}{longest}",
        ]
