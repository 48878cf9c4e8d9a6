"""Recordings as files, in whatever form they come."""

from __future__ import annotations

from pathlib import Path

RATE = 24_000


class RecordingError(ValueError):
    """A recording cannot be read; one line that says why."""


def read_recording(path: Path) -> bytes:
    """Any recording (wav, flac, ogg, mp3; any rate and channels) as PCM16 mono at 24 kHz.

    Raises:
        RecordingError: it cannot be read.
    """
    # Imported here, so that a command line need not wait for them.
    import numpy as np
    import soundfile
    import soxr

    try:
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise RecordingError(f"{path}: {error}") from None
    mono = soxr.resample(sound.mean(axis=1), rate, RATE)
    return (np.clip(mono, -1, 1) * 32767).astype("<i2").tobytes()
