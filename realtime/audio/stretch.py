"""Speech played faster or slower at the pitch it has, as a stream.

WSOLA (Verhelst and Roelands, 1993): windows are taken from the input at one pace and laid over each other
at another; each is taken from where, near its place, the sound best continues the window before.
"""

from __future__ import annotations

import numpy as np

_RATE = 24_000
_HOP = _RATE // 50
"""Output samples between windows: 20 ms; a window is twice as long."""
_REACH = _RATE // 100
"""How far from its place a window may be taken: 10 ms, a period of the lowest voices."""


class TimeStretch:
    """float32 mono at 24 kHz, `speed` times as fast. Output lags by some 50 ms until `flush`."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        rise = np.hanning(2 * _HOP + 1)[:_HOP]
        self._rise = rise.astype(np.float32)
        self._fall = (1 - rise).astype(np.float32)
        self._begin()

    def _begin(self) -> None:
        self._input = np.empty(0, np.float32)
        self._dropped = 0
        self._received = 0
        self._made = 0
        self._windows = 0
        self._last = -_HOP
        self._tail: np.ndarray | None = None

    def add(self, sound: np.ndarray) -> np.ndarray:
        """More input; what output is complete by now."""
        self._received += len(sound)
        self._input = np.concatenate((self._input, sound))
        return self._make()

    def flush(self) -> np.ndarray:
        """The rest, so that all output is the input's length over `speed`. Begins anew."""
        wanted = round(self._received / self._speed) - self._made
        silence = np.zeros(4 * _HOP + 2 * _REACH + int(2 * _HOP * self._speed), np.float32)
        self._input = np.concatenate((self._input, silence))
        rest = self._make()[: max(0, wanted)]
        self._begin()
        return rest

    def _make(self) -> np.ndarray:
        pieces: list[np.ndarray] = []
        while (place := int(self._windows * _HOP * self._speed)) + _REACH + 2 * _HOP <= self._end:
            start = self._best(place)
            window = self._at(start, 2 * _HOP)
            tail = self._fall * window[:_HOP] if self._tail is None else self._tail
            pieces.append(tail + self._rise * window[:_HOP])
            self._tail = self._fall * window[_HOP:]
            self._last, self._windows = start, self._windows + 1
            self._made += _HOP
            self._drop(min(self._last + _HOP, place + int(_HOP * self._speed) - _REACH))
        return np.concatenate(pieces) if pieces else np.empty(0, np.float32)

    @property
    def _end(self) -> int:
        return self._dropped + len(self._input)

    def _best(self, place: int) -> int:
        """Where, near `place`, the sound is most like what follows the last window."""
        if self._tail is None:
            return place
        first = max(place - _REACH, self._dropped)
        follows = self._at(self._last + _HOP, _HOP)
        around = self._at(first, place + _REACH - first + _HOP)
        likeness = np.correlate(around, follows, "valid")
        energy = np.cumsum(np.concatenate(([0.0], around.astype(np.float64) ** 2)))
        energy = energy[_HOP:] - energy[:-_HOP]
        return first + int(np.argmax(likeness / np.sqrt(energy + 1e-6)))

    def _at(self, start: int, count: int) -> np.ndarray:
        begin = start - self._dropped
        return self._input[begin : begin + count]

    def _drop(self, position: int) -> None:
        if position > self._dropped:
            self._input = self._input[position - self._dropped :]
            self._dropped = position
