"""Hearing: the user's sound to embeddings of the Reasoner, 25 a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
import torch
from transformers import WhisperFeatureExtractor
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniThinkerConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder

from engine.api import SAMPLE_RATE
from engine.chroma.checkpoint import Checkpoint
from engine.chroma.graphs import Graphs
from engine.chroma.modules import load_pretrained
from engine.chroma.tower import BlockTower
from engine.pcm import floats

SHORTEST = 0.1
"""Seconds: shorter sound is padded with silence, as the tower needs a few mel frames."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What is heard of a sound: embeddings [n, hidden], and a mark for each that names this very row."""

    rows: torch.Tensor
    marks: tuple[object, ...]


def joined(parts: Sequence[Heard]) -> Heard:
    """What is heard of some sounds, at least one, one after another."""
    marks = tuple(mark for part in parts for mark in part.marks)
    return Heard(torch.cat([part.rows for part in parts]), marks)


def embedding_count(mel_frames: int) -> int:
    """Embeddings that the tower makes of so many mel frames (a stride-2 convolution, then pooling by 2)."""
    return ((mel_frames - 1) // 2 + 1 - 2) // 2 + 1


def log_mel(extractor: WhisperFeatureExtractor, sound: np.ndarray) -> torch.Tensor:
    """float32 [samples] mono at the extractor's rate (16 kHz) to log-mel [bins, frames], 100 a second.

    The reference pads with silence before the transform, so that the last frames see zeros beyond the
    end; one window of them is all that those frames can reach.
    """
    rate = extractor.sampling_rate
    samples = max(len(sound), int(SHORTEST * rate))
    padded = np.pad(sound, (0, samples - len(sound) + extractor.n_fft))
    mel = extractor(padded, sampling_rate=rate, padding=False, truncation=False, return_tensors="pt")
    return mel.input_features[0, :, : samples // extractor.hop_length]


class Hearing:
    """Log-mel by Whisper's feature extractor, then the audio tower of the Reasoner."""

    def __init__(
        self,
        thinker: Qwen2_5OmniThinkerConfig,
        checkpoint: Checkpoint,
        *,
        dtype: torch.dtype,
        device: torch.device,
        graphs: Graphs,
    ) -> None:
        self.extractor = _feature_extractor(checkpoint.folder, thinker.audio_config.num_mel_bins)
        self.block = 2 * thinker.audio_config.n_window
        """Mel frames that the tower attends within: one block does not hear the next."""
        self.nothing = torch.empty(0, thinker.audio_config.output_dim, dtype=dtype, device=device)
        """What is heard of no sound at all."""
        self._tower = load_pretrained(
            Qwen2_5OmniAudioEncoder, thinker.audio_config, checkpoint, "thinker.audio_tower.", dtype, device
        )
        self._device, self._dtype = device, dtype
        self._blocks = BlockTower(self._tower, graphs) if graphs.on else None

    def hear_pcm(self, pcm: bytes) -> torch.Tensor:
        """PCM16 mono at 24 kHz to embeddings [n, hidden]."""
        return self.hear(soxr.resample(floats(pcm), SAMPLE_RATE, self.extractor.sampling_rate))

    def hear(self, sound: np.ndarray) -> torch.Tensor:
        """float32 [samples] mono at the extractor's rate (16 kHz) to embeddings [n, hidden]."""
        return self.encode(log_mel(self.extractor, sound))

    @torch.inference_mode()
    def encode(self, mel: torch.Tensor) -> torch.Tensor:
        """Log-mel [bins, frames] to embeddings [n, hidden]."""
        if self._blocks is not None:
            heard = [self._blocks.encode(block) for block in mel.split(self.block, dim=1)]
            return torch.cat(heard)[: embedding_count(mel.shape[1])]
        length = torch.tensor([mel.shape[1]], device=self._device)
        heard = self._tower(mel.to(self._device, self._dtype), feature_lens=length)
        return heard.last_hidden_state


def _feature_extractor(folder: Path, mel_bins: int) -> WhisperFeatureExtractor:
    if (folder / "preprocessor_config.json").is_file():
        return WhisperFeatureExtractor.from_pretrained(folder)
    return WhisperFeatureExtractor(feature_size=mel_bins)
