"""Smart Turn v3: how likely a speaker has finished, heard in the sound itself.

The model (BSD-2) is a file in the package pipecat-ai, of which nothing else is used: a Whisper-tiny encoder
over the last 8 seconds, quantised, for onnxruntime.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import soxr

from realtime.audio.onnx_file import open_session

_WIRE_RATE, _RATE = 24_000, 16_000
_SAMPLES = 8 * _RATE
_WINDOW, _HOP, _MELS = 400, 160, 80
_FILE = "audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"


def model_path() -> Path:
    """The model's file, found without importing its package.

    Raises:
        FileNotFoundError: the package is not installed, or holds no such file.
    """
    spec = importlib.util.find_spec("pipecat")
    for place in (spec.submodule_search_locations if spec else None) or ():
        if (path := Path(place) / _FILE).is_file():
            return path
    raise FileNotFoundError(f"{_FILE} of the package pipecat-ai; pip install --no-deps 'pipecat-ai>=1.14'")


class TurnModel:
    """Judges pauses. Raises FileNotFoundError where there is no model."""

    def __init__(self) -> None:
        self._session = open_session(model_path())
        self._filters = _mel_filters()

    def judge(self, pcm: bytes) -> float:
        """Probability that the turn (PCM16 mono at 24 kHz, its end counts) is over. Takes some 80 ms of
        one core, however long the turn."""
        sound = np.frombuffer(pcm, "<i2").astype(np.float32) / 32768
        sound = soxr.resample(sound, _WIRE_RATE, _RATE)[-_SAMPLES:]
        features = self.features(np.pad(sound, (_SAMPLES - len(sound), 0)))
        return float(self._session.run(None, {"input_features": features[None]})[0][0, 0])

    def features(self, sound: np.ndarray) -> np.ndarray:
        """float32 [samples] at 16 kHz to Whisper's log-mel float32 [80, samples / 160], of sound that is
        brought to zero mean and unit variance first (transformers' `WhisperFeatureExtractor`)."""
        sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
        padded = np.pad(sound, _WINDOW // 2, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP][:-1]
        hann = np.hanning(_WINDOW + 1)[:-1]
        power = np.abs(np.fft.rfft(frames * hann)) ** 2
        mel = np.log10(np.maximum(self._filters @ power.T, 1e-10))
        mel = np.maximum(mel, mel.max() - 8)
        return ((mel + 4) / 4).astype(np.float32)


def _mel_filters() -> np.ndarray:
    """Slaney's triangles, each of unit area, float64 [80, 201]."""
    corners = _hertz(np.linspace(0, _mel(_RATE / 2), _MELS + 2))
    bins = np.linspace(0, _RATE / 2, _WINDOW // 2 + 1)
    rise = (bins - corners[:-2, None]) / np.diff(corners)[:-1, None]
    fall = (corners[2:, None] - bins) / np.diff(corners)[1:, None]
    return np.maximum(0, np.minimum(rise, fall)) * (2 / (corners[2:] - corners[:-2]))[:, None]


def _mel(hertz: float) -> float:
    return hertz * 3 / 200 if hertz < 1000 else 15 + np.log(hertz / 1000) * 27 / np.log(6.4)


def _hertz(mel: np.ndarray) -> np.ndarray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))
