"""A reference recording: what is accepted as one, and its sound as numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from engine.api import SAMPLE_RATE, EngineError
from engine.pcm import floats
from engine.sound_reader import MOST_CHANNELS, UnreadableSound, read_mono

SHORTEST = 3.0
"""Seconds. Less tells the model too little of a voice."""

LONGEST = 30.0
"""Seconds. More crowds the answer out of the Backbone's positions."""

LARGEST = 64 * 1024 * 1024
"""Bytes of a sample's file: 30 s of the highest rate and width in use fit."""

QUIETEST = 1e-3
"""Root mean square, full scale 1: below -60 dB there is no voice to be heard."""

_RATES = (8_000, 192_000)


def seconds_of(path: Path) -> float:
    """Length of a sample, from its header alone: nothing is decoded, however long the file claims to be.

    Raises:
        EngineError: `voice_not_readable`, `voice_too_large`, `voice_too_short`, `voice_too_long`.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise EngineError("voice_not_readable", f"{path}: {error.strerror}") from None
    if not path.is_file():
        raise EngineError("voice_not_readable", f"{path} is not a file")
    _check_size(str(path), size)
    try:
        info = soundfile.info(str(path))
    except (soundfile.LibsndfileError, RuntimeError):
        raise EngineError(
            "voice_not_readable", f"{path} cannot be decoded as sound; give a WAV, FLAC, OGG or MP3 file"
        ) from None
    if not _RATES[0] <= info.samplerate <= _RATES[1] or not 1 <= info.channels <= MOST_CHANNELS:
        raise EngineError(
            "voice_not_readable",
            f"{path} has {info.channels} channels at {info.samplerate} Hz; "
            f"1 to {MOST_CHANNELS} channels at {_RATES[0]} to {_RATES[1]} Hz are read",
        )
    seconds = info.frames / info.samplerate
    _check_length(str(path), seconds)
    return seconds


def decode(source: Path | bytes) -> np.ndarray:
    """A sample, as a file or as its bytes, as float32 [samples], mono at `SAMPLE_RATE`, within [-1, 1].

    Raises:
        EngineError: as `seconds_of`, and `voice_silent`.
    """
    if isinstance(source, bytes):
        name = "the sample"
        _check_size(name, len(source))
    else:
        name = str(source)
        seconds_of(source)
    try:
        mono = read_mono(source, LONGEST)
    except UnreadableSound as error:
        raise EngineError("voice_not_readable", f"{name} {error}") from None
    _check(name, mono)
    return mono


def from_pcm(pcm: bytes) -> np.ndarray:
    """A sample that came as PCM16 mono at `SAMPLE_RATE`, as float32 [samples].

    Raises:
        EngineError: `voice_too_short`, `voice_too_long`, `voice_silent`.
    """
    mono = floats(pcm[: len(pcm) & ~1])
    _check("the sample", mono)
    return mono


def _check(what: str, mono: np.ndarray) -> None:
    _check_length(what, len(mono) / SAMPLE_RATE)
    if float(np.sqrt(np.mean(np.square(mono, dtype=np.float64)))) < QUIETEST:
        raise EngineError("voice_silent", f"{what} is silent")


def _check_size(what: str, size: int) -> None:
    if size > LARGEST:
        raise EngineError(
            "voice_too_large", f"{what} is {size / 2**20:.0f} MiB; at most {LARGEST // 2**20} MiB are read"
        )


def _check_length(what: str, seconds: float) -> None:
    if seconds < SHORTEST:
        raise EngineError(
            "voice_too_short", f"{what} is {seconds:.1f} s long; a voice needs at least {SHORTEST:.0f} s"
        )
    if seconds > LONGEST:
        raise EngineError(
            "voice_too_long", f"{what} is {seconds:.1f} s long; cut it to {LONGEST:.0f} s or less"
        )
