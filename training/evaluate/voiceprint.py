"""What tells voices apart, in numpy alone: how high one speaks, and the shape of its mean spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

RATE = 24_000
_LOWEST, _HIGHEST = 55.0, 450.0
"""Hertz of pitch that are looked for."""
_PITCH_WINDOW, _PITCH_HOP = 1200, 480
_VOICED = 0.55
"""Least likeness of a sound to itself one period later that counts as voiced."""
_AS_GOOD = 0.9
"""A shorter period is taken for the true one where it is nearly as like as the best."""
_WINDOW, _HOP, _BINS = 1024, 480, 40
CEPSTRA = 14
_FLOOR = 1e-4
"""Of the mean over all bands and frames: what is softer is not heard."""
_RANGE = 10**-4.0
"""Frames whose energy is less than this share of the loudest one's are silence."""


@dataclass(frozen=True, slots=True)
class Voiceprint:
    """`pitch`: median in Hz, nan where nothing is voiced. `envelope`: mean cepstra 1 to 14, no loudness."""

    pitch: float
    envelope: np.ndarray


def voiceprint(sound: np.ndarray) -> Voiceprint:
    """Of float32 [samples] at 24 kHz."""
    return Voiceprint(median_pitch(sound), mean_envelope(sound))


def median_pitch(sound: np.ndarray) -> float:
    """Median fundamental frequency of its voiced frames in Hz, by normalised autocorrelation."""
    pitches = [_pitch(frame) for frame in _loud(_framed(sound, _PITCH_WINDOW, _PITCH_HOP))]
    voiced = [pitch for pitch in pitches if pitch is not None]
    return float(np.median(voiced)) if voiced else math.nan


def _pitch(frame: np.ndarray) -> float | None:
    frame = frame - frame.mean()
    shortest, longest = int(RATE / _HIGHEST), int(RATE / _LOWEST)
    size = len(frame)
    product = np.fft.irfft(np.abs(np.fft.rfft(frame, 2 * size)) ** 2)[: longest + 2]
    # How much energy the two parts have that are held against each other.
    energy = np.concatenate(([0.0], np.cumsum(frame**2)))
    lags = np.arange(longest + 2)
    left, right = energy[size - lags], energy[size] - energy[lags]
    likeness = product / np.sqrt(left * right + 1e-12)
    inner = likeness[1:-1]
    peaks = np.flatnonzero((inner >= likeness[:-2]) & (inner > likeness[2:])) + 1
    peaks = peaks[peaks >= shortest]
    if not len(peaks) or likeness[peaks].max() < _VOICED:
        return None
    lag = int(peaks[likeness[peaks] >= _AS_GOOD * likeness[peaks].max()][0])
    before, at, after = likeness[lag - 1 : lag + 2]
    bend = before - 2 * at + after
    return RATE / (lag + (0.5 * (before - after) / bend if bend else 0.0))


def mean_envelope(sound: np.ndarray) -> np.ndarray:
    """Mean mel cepstra 1 to 14 over its frames that are not silent."""
    frames = _loud(_framed(sound, _WINDOW, _HOP))
    mel = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW))) ** 2 @ _mel_bank()
    mel = np.log(mel + _FLOOR * mel.mean() + 1e-12)
    order, bin_ = np.arange(1, CEPSTRA + 1), np.arange(_BINS) + 0.5
    cosines = np.cos(np.pi / _BINS * order[None] * bin_[:, None]) * math.sqrt(2 / _BINS)
    cepstra: np.ndarray = (mel @ cosines).mean(0)
    return cepstra


def _framed(sound: np.ndarray, window: int, hop: int) -> np.ndarray:
    padded = np.pad(sound.astype(np.float64), (0, max(0, window - len(sound))))
    return np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]


def _loud(frames: np.ndarray) -> np.ndarray:
    energy = (frames**2).sum(1)
    return frames[energy >= _RANGE * energy.max()]


def _mel_bank() -> np.ndarray:
    """Triangles from 60 Hz to 8 kHz, equally spaced in mel: [window // 2 + 1, bins]."""

    def mel(hertz: np.ndarray) -> np.ndarray:
        scaled: np.ndarray = 2595 * np.log10(1 + hertz / 700)
        return scaled

    lowest, highest = mel(np.array([60.0, 8000.0]))
    edges = np.linspace(lowest, highest, _BINS + 2)
    at = mel(np.fft.rfftfreq(_WINDOW, 1 / RATE))[:, None]
    rising = (at - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - at) / (edges[2:] - edges[1:-1])
    return np.minimum(rising, falling).clip(0)
