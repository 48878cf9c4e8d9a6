"""Changing the rate of sound that comes in pieces."""

from __future__ import annotations

import numpy as np
import soxr

_SCALE = np.float32(1 / 32768)


class StreamResampler:
    """PCM16 bytes at one rate to float32 samples at another; pieces join without a click.

    The filter keeps a few milliseconds back until more sound comes; positions stay aligned.
    """

    def __init__(self, source: int, target: int) -> None:
        self._stream = soxr.ResampleStream(source, target, 1, dtype="float32")

    def add(self, pcm: bytes) -> np.ndarray:
        """PCM16 mono to float32 [samples] in -1 to 1: what is complete by now."""
        sound = np.multiply(np.frombuffer(pcm, dtype="<i2"), _SCALE, dtype=np.float32)
        return self._stream.resample_chunk(sound)
