"""The input audio buffer: sound that was appended and not committed yet, by absolute position."""

from __future__ import annotations


class InputAudioBuffer:
    """Samples from `start` up to `end`, counted over all sound appended in the session (PCM16 at 24 kHz,
    whole samples). Sound leaves at the front alone."""

    def __init__(self) -> None:
        self.start = 0
        self._data = bytearray()

    @property
    def end(self) -> int:
        """Position after the last sample."""
        return self.start + len(self._data) // 2

    def append(self, pcm: bytes) -> None:
        """Add whole samples."""
        self._data += pcm

    def take(self, start: int, end: int) -> bytes:
        """Remove everything before `end` and return what of it lies at or after `start`."""
        pcm = self.peek(start, end)
        self.drop(end)
        return pcm

    def peek(self, start: int, end: int) -> bytes:
        """What lies from `start` up to `end`, left where it is."""
        first = max(0, start - self.start) * 2
        return bytes(self._data[first : max(0, end - self.start) * 2])

    def drop(self, position: int) -> None:
        """Forget everything before `position`."""
        count = min(max(0, position - self.start), len(self._data) // 2)
        del self._data[: count * 2]
        self.start += count
