"""Hearing while the user speaks: one sound as it arrives, to the embeddings that the whole of it gives.

The tower attends within blocks, so a finished block never changes by what comes after it, but for one
trap: Whisper's log-mel is clipped at 8 (in powers of ten) below the loudest bin of the whole clip. A block
that was encoded early saw only the loudest bin so far. Each block is encoded again when a later sound lifts
the floor over its quietest bin: one with each piece that arrives, as others are waiting for the device, and
what is left of them at the end.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
import soxr
import torch
from transformers import WhisperFeatureExtractor

from engine.api import SAMPLE_RATE
from engine.chroma.hearing import SHORTEST, Heard, Hearing
from engine.pcm import floats

_FLOOR = 8.0
"""How far under the loudest bin everything is silence, in log10 (Whisper, `log_mel_spectrogram`)."""
_QUIETEST = 1e-10


@dataclass(slots=True)
class _Block:
    """Log10-mel [bins, frames], its embeddings, and the floor that they were made under."""

    mel: torch.Tensor
    rows: torch.Tensor
    floor: float
    imagined: int = 0
    """Where it holds silence that stands for sound to come: how much had come by then, in samples."""

    def stale(self, floor: float) -> bool:
        """Clipping it at the new floor changes it."""
        return floor > self.floor and bool(self.mel.min() < floor)


class Listening:
    """One sound, from its first sample on. `add` what arrives, `finish` once. `name` begins the marks of what
    is heard."""

    def __init__(self, hearing: Hearing, name: str) -> None:
        self._hearing, self._name = hearing, name
        self._spectrum = _Spectrum(hearing.extractor)
        self._resampler = soxr.ResampleStream(
            SAMPLE_RATE, hearing.extractor.sampling_rate, 1, dtype="float32"
        )
        self._blocks: list[_Block] = []
        self._rest = torch.empty(hearing.extractor.feature_size, 0)
        self._loudest = -float("inf")
        self.samples = 0
        """Samples at 24 kHz that were added."""

    def add(self, pcm: bytes) -> None:
        """More of it: PCM16 mono at 24 kHz, whole samples."""
        self.samples += len(pcm) // 2
        self._take(self._spectrum.add(self._resample(pcm, last=False)))

    def finish(self, pcm: bytes = b"") -> Heard:
        """The last of it. Returns the embeddings of the whole, as `Hearing.hear_pcm` makes them."""
        self.samples += len(pcm) // 2
        return self._end(self._resample(pcm, last=True))

    def _end(self, sound: np.ndarray) -> Heard:
        """The last samples at the extractor's rate."""
        self._take(self._spectrum.finish(sound))
        while self._refresh():
            pass
        # Two mel frames more than whole blocks make no embedding of their own.
        if self._rest.shape[1] > 2 or not self._blocks:
            rest = self._encode(self._rest, self._floor)
            self._blocks.append(_Block(self._rest, rest, self._floor))
        return self.heard

    def so_far(self) -> Heard:
        """What would be heard if the sound ended here, with silence for the milliseconds that the resampler
        holds back; more may be added afterwards."""
        ended = copy(self)
        ended._blocks = [copy(block) for block in self._blocks]
        ended._spectrum = copy(self._spectrum)
        held_back = round(self.samples * self._hearing.extractor.sampling_rate / SAMPLE_RATE)
        held_back -= self._spectrum.samples
        ended._end(np.zeros(max(0, held_back), dtype=np.float32))
        for block in ended._blocks[len(self._blocks) :]:
            block.imagined = self.samples
        return ended.heard

    @property
    def heard(self) -> Heard:
        """What the finished blocks give, as far as the loudest sound so far leaves them as they were encoded;
        louder sound that follows may still change it."""
        fresh = self._fresh
        marks = tuple(
            (self._name, number, block.floor, block.imagined, row)
            for number, block in enumerate(fresh)
            for row in range(len(block.rows))
        )
        rows = [block.rows for block in fresh]
        return Heard(torch.cat(rows) if rows else self._hearing.nothing, marks)

    @property
    def known(self) -> int:
        """Rows of `heard`."""
        return sum(len(block.rows) for block in self._fresh)

    @property
    def _fresh(self) -> list[_Block]:
        return list(takewhile(lambda block: not block.stale(self._floor), self._blocks))

    @property
    def _floor(self) -> float:
        return self._loudest - _FLOOR

    def _resample(self, pcm: bytes, *, last: bool) -> np.ndarray:
        return self._resampler.resample_chunk(floats(pcm), last=last)

    def _take(self, mel: torch.Tensor) -> None:
        if not mel.shape[1]:
            return
        self._loudest = max(self._loudest, float(mel.max()))
        self._rest = torch.cat((self._rest, mel), dim=1)
        size = self._hearing.block
        while self._rest.shape[1] >= size:
            block, self._rest = self._rest[:, :size], self._rest[:, size:]
            self._blocks.append(_Block(block, self._encode(block, self._floor), self._floor))
        self._refresh()

    def _refresh(self) -> bool:
        """Encode the first stale block again; False where there is none."""
        for each in self._blocks:
            if each.stale(self._floor):
                each.rows, each.floor = self._encode(each.mel, self._floor), self._floor
                return True
        return False

    def _encode(self, mel: torch.Tensor, floor: float) -> torch.Tensor:
        return self._hearing.encode((mel.clamp_min(floor) + 4) / 4)


class _Spectrum:
    """Log10-mel [bins, frames] of sound that arrives in pieces, before the clipping (Whisper's extractor)."""

    def __init__(self, extractor: WhisperFeatureExtractor) -> None:
        self._rate, self._size, self._hop = extractor.sampling_rate, extractor.n_fft, extractor.hop_length
        self._filters = torch.from_numpy(np.asarray(extractor.mel_filters, dtype=np.float32)).T
        self._window = torch.hann_window(self._size)
        self._sound = np.empty(0, dtype=np.float32)
        """From the first sample of the next frame on; before the first frame, from the sound's own first."""
        self.samples = 0
        """Samples of the sound that came."""
        self._frames = 0
        self._mirrored = False

    def add(self, sound: np.ndarray) -> torch.Tensor:
        """The frames that this sound completes."""
        self.samples += len(sound)
        self._sound = np.concatenate((self._sound, sound))
        if not self._mirror():
            return self._mel(0)
        return self._mel((len(self._sound) - self._size) // self._hop + 1)

    def finish(self, sound: np.ndarray) -> torch.Tensor:
        """All frames that are left; the last of them see silence beyond the end."""
        self.samples += len(sound)
        samples = max(self.samples, int(SHORTEST * self._rate))
        silence = np.zeros(samples - self.samples + self._size, dtype=np.float32)
        self._sound = np.concatenate((self._sound, sound, silence))
        self._mirror()
        return self._mel(samples // self._hop - self._frames)

    def _mirror(self) -> bool:
        """The first frame is centred on the first sample: what lies before that mirrors what follows. False
        while that much has not been heard."""
        half = self._size // 2
        if not self._mirrored and len(self._sound) > half:
            self._sound = np.concatenate((self._sound[half:0:-1], self._sound))
            self._mirrored = True
        return self._mirrored

    def _mel(self, frames: int) -> torch.Tensor:
        if frames <= 0:
            return torch.empty(self._filters.shape[0], 0)
        used = torch.from_numpy(self._sound[: (frames - 1) * self._hop + self._size])
        self._sound = self._sound[frames * self._hop :]
        self._frames += frames
        spectrum = torch.stft(
            used, self._size, self._hop, window=self._window, center=False, return_complex=True
        )
        return (self._filters @ spectrum.abs().square()).clamp_min(_QUIETEST).log10()
