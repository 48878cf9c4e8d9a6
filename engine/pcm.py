"""PCM16 as it crosses the wall, as numbers."""

from __future__ import annotations

import numpy as np


def floats(pcm: bytes) -> np.ndarray:
    """PCM16 little-endian, whole samples, to float32 [samples] from -1 to 1."""
    return np.frombuffer(pcm, dtype="<i2").astype(np.float32) / 32768
