"""The input audio buffer: sound that was appended and not committed yet, by absolute position."""

from __future__ import annotations


class InputAudioBuffer:
    """Samples from `start` up to `end`, counted over all sound appended in the session.

    An odd byte waits for its other half in the next append, until a commit or a clear by the client. Sound
    leaves at the front alone.
    """

    def __init__(self) -> None:
        self.start = 0
        self._data = bytearray()
        self._half = b""

    @property
    def end(self) -> int:
        """Position after the last whole sample."""
        return self.start + len(self._data) // 2

    def append(self, sound: bytes) -> bytes:
        """Add bytes; returns the whole samples that they completed."""
        sound = self._half + sound
        whole = len(sound) & ~1
        self._half = sound[whole:]
        self._data += sound[:whole]
        return sound[:whole]

    def take(self, start: int, end: int) -> bytes:
        """Remove everything before `end` and return what of it lies at or after `start`."""
        first = max(0, start - self.start) * 2
        pcm = bytes(self._data[first : (end - self.start) * 2])
        self.drop(end)
        return pcm

    def drop(self, position: int) -> None:
        """Forget everything before `position`."""
        count = min(max(0, position - self.start), len(self._data) // 2)
        del self._data[: count * 2]
        self.start += count

    def peek(self) -> bytes:
        """Everything, left where it is."""
        return bytes(self._data)

    def drop_half(self) -> None:
        """Forget half a sample: what the client appends next begins a new one."""
        self._half = b""
