"""Watermarks for the tests: each sample's lowest bit says of which answer's how many-th it is."""

import numpy as np


def parity(answer_id: str):
    """Lowest bits 0, 1, 0, 1 … through the whole answer, whatever the pieces."""
    count = 0

    def mark(pcm: bytes) -> bytes:
        nonlocal count
        samples = np.frombuffer(pcm, "<i2").copy()
        bits = (np.arange(count, count + len(samples)) % 2).astype("<i2")
        count += len(samples)
        return ((samples & ~1) | bits).tobytes()

    return mark


def cuts(answer_id: str):
    return lambda pcm: pcm[:-2]


def breaks(answer_id: str):
    raise RuntimeError("no key for the mark")


NOT_A_FUNCTION = 5
