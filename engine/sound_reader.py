"""Sound of a file from outside, read in a bounded way.

A small file can hold hours of silence in eight channels at 192 kHz. So it is read a second at a time, each
second made mono and brought to the one rate there is before the next, and no further than asked for.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from engine.api import SAMPLE_RATE

RATES = (4_000, 192_000)
"""Samples a second that are read."""
MOST_CHANNELS = 8


class UnreadableSound(Exception):  # noqa: N818
    """What is wrong with a file, to follow its name."""


def read_mono(source: Path | bytes, longest_s: float) -> np.ndarray:
    """The sound of a WAV, FLAC, OGG or MP3 file, or of such a file's bytes.

    Returns:
        float32 [samples], mono at `SAMPLE_RATE` within [-1, 1]; at most a second more than `longest_s`, so
        that one that is longer can be told.

    Raises:
        UnreadableSound: it is none, or none that is read here.
    """
    try:
        with soundfile.SoundFile(io.BytesIO(source) if isinstance(source, bytes) else str(source)) as file:
            if not RATES[0] <= file.samplerate <= RATES[1] or not 1 <= file.channels <= MOST_CHANNELS:
                raise UnreadableSound(
                    f"has {file.channels} channels at {file.samplerate} Hz;"
                    f" 1 to {MOST_CHANNELS} channels at {RATES[0]} to {RATES[1]} Hz are read"
                )
            pieces = list(_pieces(file, longest_s + 1))
    except (soundfile.LibsndfileError, RuntimeError, ValueError):
        raise UnreadableSound("cannot be decoded as sound; give a whole WAV, FLAC, OGG or MP3 file") from None
    return np.clip(np.concatenate(pieces), -1.0, 1.0)


def _pieces(file: soundfile.SoundFile, seconds: float) -> Iterator[np.ndarray]:
    rate = file.samplerate
    resampler = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32") if rate != SAMPLE_RATE else None
    # A header may claim less or more than there is.
    left = int(seconds * rate)
    while left > 0:
        wide = file.read(min(left, rate), dtype="float32", always_2d=True)
        if not np.isfinite(wide).all():
            raise UnreadableSound("holds samples that are not numbers")
        left = left - len(wide) if len(wide) else 0
        mono = wide.mean(axis=1)
        yield resampler.resample_chunk(mono, last=not left) if resampler else mono
