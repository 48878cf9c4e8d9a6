"""From the wire's rate to the detector's: windows of many streams at once.

soxr would take a stream piece by piece, in a filter of its own (86 kB), and hold up to 36 ms back, since it
works in blocks. Its filter is linear and always the same: here it is one product of matrices.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr

from realtime.audio.onnx_file import Graph, open_session
from realtime.audio.silero import SAMPLE_RATE

_SOURCE, _TARGET = 24_000, SAMPLE_RATE
WINDOW = 768
"""Samples at 24 kHz that become 512 at 16 kHz: 32 ms."""
MARGIN = 144
"""Samples at 24 kHz that the filter reaches before and after a window: 6 ms. What lies further off counts for
less than a ten-millionth."""
_HOP = 96
"""Samples at 24 kHz that a row of the product is for: longer rows hold more zeros, shorter overlap more."""


class WindowResampler:
    """Filters as soxr does by default. Windows of a stream join without a click."""

    def __init__(self) -> None:
        self._session = open_session(_graph())

    def windows(self, sounds: Sequence[bytes]) -> np.ndarray:
        """A window of each stream with the margin before and after it: PCM16 mono at 24 kHz, 1056 samples.

        Returns:
            float32 [streams, 512] at 16 kHz, in -1 to 1.
        """
        pcm = np.frombuffer(b"".join(sounds), "<i2").reshape(len(sounds), -1)
        return self._session.run(None, {"pcm": pcm})[0]


def _graph() -> bytes:
    graph = Graph()
    graph.input("pcm", ("streams", WINDOW + 2 * MARGIN), np.int16)
    (sound,) = graph.add("Cast", "pcm", to=1)
    rows = graph.windows(sound, _HOP + 2 * MARGIN, _HOP, WINDOW // _HOP)
    (x,) = graph.add("MatMul", rows, graph.constant(_filter() / np.float32(32768)))
    graph.output(graph.reshape(x, WINDOW * _TARGET // _SOURCE), "sound")
    return graph.model()


def _filter() -> np.ndarray:
    """What soxr makes of a single sample, for each sample of a row with its margins: float32 [384, 64]."""
    size = MARGIN + _HOP + MARGIN
    around = 2 * size
    impulses = np.zeros((around + size + around, size))
    impulses[around + np.arange(size), np.arange(size)] = 1
    made = soxr.resample(impulses, _SOURCE, _TARGET)
    begin = (around + MARGIN) * _TARGET // _SOURCE
    return made[begin : begin + _HOP * _TARGET // _SOURCE].T.astype(np.float32)
