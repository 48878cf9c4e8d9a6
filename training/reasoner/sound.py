"""Spoken questions as the tower meets them: less clean than made, with a target for each embedding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from transformers import WhisperFeatureExtractor

from engine.chroma.hearing import embedding_count, log_mel
from training.corpus.build import HEARD_RATE
from training.shapes import tower_config

PER_EMBEDDING = 640
"""Samples at 16 kHz that one embedding stands for."""
_LONGEST = 8 * HEARD_RATE


def extractor() -> WhisperFeatureExtractor:
    """Whisper's log-mel with as many bins as the tower takes."""
    return WhisperFeatureExtractor(feature_size=tower_config()["num_mel_bins"])


@dataclass(frozen=True, slots=True)
class Heard:
    """Log-mel float32 [bins, frames], and the token that each embedding is to tell, blank where none ends."""

    mel: torch.Tensor
    targets: torch.Tensor


class Hearer:
    """Makes `Heard` out of sounds; `clean` leaves them as they are but for the silence around them."""

    def __init__(self, blank: int, seed: int, *, clean: bool = False) -> None:
        self._extractor = extractor()
        self._blank, self._clean = blank, clean
        self._rng = np.random.default_rng(seed)

    def __call__(self, sound: np.ndarray, word_ends: list[int], tokens: list[int]) -> Heard:
        """`tokens`: one for each word."""
        rng = self._rng
        before, after = int(rng.uniform(0.02, 0.5) * HEARD_RATE), int(rng.uniform(0.1, 0.6) * HEARD_RATE)
        whole = np.pad(sound, (before, after))[:_LONGEST]
        mel = log_mel(self._extractor, whole if self._clean else self._roughen(whole))
        targets = torch.full((embedding_count(mel.shape[1]),), self._blank)
        at = -1
        for end, token in zip(word_ends, tokens, strict=True):
            at = max(at + 1, (end + before) // PER_EMBEDDING)
            if at < len(targets):
                targets[at] = token
        return Heard(mel, targets)

    def _roughen(self, sound: np.ndarray) -> np.ndarray:
        """Room, band limit, noise and loudness, each at random; a third gets but the last of them."""
        rng = self._rng
        loudness = np.float32(10 ** (rng.uniform(-18, 6) / 20))
        if rng.random() < 0.33:
            return (sound * loudness).clip(-1, 1)
        if rng.random() < 0.3:
            length = int(rng.uniform(0.05, 0.3) * HEARD_RATE)
            echo = rng.standard_normal(length) * np.exp(-6 * np.arange(length) / length)
            room = np.concatenate(([1.0], rng.uniform(0.02, 0.15) * echo)).astype(np.float32)
            sound = _convolve(sound, room)
        if rng.random() < 0.25:
            sound = _low_pass(sound, rng.uniform(3000, 7000))
        level = float(np.sqrt(np.mean(np.square(sound)))) + 1e-6
        noise = rng.standard_normal(len(sound), dtype=np.float32)
        if rng.random() < 0.5:
            noise = _low_pass(noise, rng.uniform(300, 3000))
            noise /= np.std(noise) + 1e-6
        sound = sound + level * 10 ** (-rng.uniform(12, 50) / 20) * noise
        return (sound * loudness).clip(-1, 1).astype(np.float32)


def _convolve(sound: np.ndarray, response: np.ndarray) -> np.ndarray:
    length = _round_up(len(sound) + len(response) - 1)
    spectrum = np.fft.rfft(sound, length) * np.fft.rfft(response, length)
    return np.fft.irfft(spectrum, length)[: len(sound)].astype(np.float32)


def _low_pass(sound: np.ndarray, hertz: float) -> np.ndarray:
    length = _round_up(len(sound))
    spectrum = np.fft.rfft(sound, length)
    spectrum[int(hertz / HEARD_RATE * length) :] = 0
    return np.fft.irfft(spectrum, length)[: len(sound)].astype(np.float32)


def _round_up(samples: int) -> int:
    """A transform of a length with large prime factors takes several times as long."""
    return -(-samples // 2048) * 2048
