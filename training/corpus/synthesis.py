"""Many texts to sounds, and many sounds in one file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import soxr

from training.corpus.espeak import Espeak
from training.corpus.voices import EspeakVoice

_SILENT = 1e-3


class Sounds:
    """Sounds as PCM16, one after another in `NAME.npy`, where each ends in `NAME.ends.npy`."""

    def __init__(self, path: Path) -> None:
        self._pcm = np.load(path, mmap_mode="r")
        self._ends = np.load(path.with_suffix(".ends.npy"))

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> np.ndarray:
        begin = self._ends[index - 1] if index else 0
        return self._pcm[begin : self._ends[index]].astype(np.float32) / 32768

    def samples(self, index: int) -> int:
        """Length of one sound."""
        return int(self._ends[index] - (self._ends[index - 1] if index else 0))


def write_sounds(path: Path, sounds: Iterable[np.ndarray]) -> None:
    """float32 sounds into the files that `Sounds` reads; the ends come last and mark it whole."""
    pcm = [(sound.clip(-1, 1) * 32767).astype(np.int16) for sound in sounds]
    np.save(path, np.concatenate(pcm))
    np.save(path.with_suffix(".ends.npy"), np.cumsum([len(sound) for sound in pcm]))


def speak_all(
    lines: Sequence[tuple[str, EspeakVoice]], rate: int
) -> tuple[list[np.ndarray], list[list[int]]]:
    """Many texts, in order: sounds [samples] at `rate` without the silence around them, and word ends."""
    espeak = Espeak.shared()
    sounds, ends = [], []
    for text, voice in lines:
        spoken = espeak.speak(text, voice)
        loud = np.flatnonzero(np.abs(spoken.sound) > _SILENT)
        first, behind = (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, len(spoken.sound))
        sounds.append(soxr.resample(spoken.sound[first:behind], spoken.rate, rate).astype(np.float32))
        scale = rate / spoken.rate
        ends.append([round((min(max(end, first), behind) - first) * scale) for end in spoken.word_ends])
        if len(sounds) % 2000 == 0:
            log(f"{len(sounds)} of {len(lines)} spoken")
    return sounds, ends


def log(line: str) -> None:
    """One line of progress, at once."""
    print(line, flush=True, file=sys.stdout)
