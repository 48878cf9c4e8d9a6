"""When voice activity detection takes its next batch: a window costs a third as much in a large one."""

from __future__ import annotations

from collections import deque

_APART_S = 0.01
"""Between the beginnings of two batches, while many talk: what comes meanwhile shares the next."""
_MANY = 8
"""Streams that talk. Of fewer, 10 ms gather hardly a second window: they would wait for nothing."""
_WINDOW_S = 0.032
_SEEN_S = 10 * _WINDOW_S
"""Who talks is judged by the windows of so long."""


class Pace:
    """Spaces out batches. It waits for time to pass and never for a stream: one that falls silent holds
    nobody up. Times are seconds of one clock."""

    def __init__(self) -> None:
        self._batches: deque[tuple[float, int]] = deque()
        self._windows = 0

    def began(self, now: float, windows: int) -> None:
        """A batch of so many windows begins."""
        self._batches.append((now, windows))
        self._windows += windows

    def pause_s(self, now: float) -> float:
        """How long what is there waits for company; 0 where few talk, or the last batch took that long."""
        while self._batches and self._batches[0][0] <= now - _SEEN_S:
            self._windows -= self._batches.popleft()[1]
        if self._windows * _WINDOW_S < _MANY * _SEEN_S:
            return 0.0
        return max(0.0, self._batches[-1][0] + _APART_S - now)
