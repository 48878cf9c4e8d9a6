"""What a listener hears who plays an answer as it comes."""

from __future__ import annotations

_BYTES_PER_S = 24_000 * 2


class Playback:
    """Sound that is played from its first delta on, at real-time pace; a gap is when it runs dry."""

    def __init__(self) -> None:
        self.pcm = bytearray()
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
