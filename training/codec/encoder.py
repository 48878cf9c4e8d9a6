"""Sound to codes: those of stage 1, and Mimi's encoder, which learns to find the same latents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers import MimiConfig, MimiModel

from training.codec.codes import load_codec, shifted
from training.codec.mel import filters, log_mel
from training.corpus.synthesis import Sounds
from training.run import Run, Weights, load_stage, pick_device
from training.shapes import CODEBOOKS, SAMPLES_PER_FRAME, codec_config

_LEAD = 2
"""Frames at the start of a piece that only give the encoder its state; they are not judged."""
_FRAMES = 20
_BATCH = 8
_FILTERS = 16
"""Half as many as the shipped Mimi has: telling codes asks for less than making sound does."""


class Coder:
    """Codes of stage 1, of any sound at any shift."""

    def __init__(self, folder: Path) -> None:
        self._model, self._bank = load_codec(folder), filters(80, 1024)

    @torch.inference_mode()
    def latents(self, sound: np.ndarray, shift: int) -> torch.Tensor:
        """float32 [samples] at 24 kHz to latents [n, width]; `shift` samples of silence come first."""
        whole = torch.from_numpy(shifted(sound, shift))
        return self._model.latents(log_mel(whole[None], self._bank))[0]

    @torch.inference_mode()
    def __call__(self, sound: np.ndarray, shift: int) -> np.ndarray:
        """Its codes: int64 [n, 8]."""
        return self._model.quantiser(self.latents(sound, shift), CODEBOOKS)[2].numpy()


class Ear:
    """Codes of the encoder of stage 4, as the finished model has them of a reference."""

    def __init__(self, folder: Path) -> None:
        self._encoder = SoundEncoder().eval()
        # As a checkpoint has them: exact ones find others of the later codes.
        shipped = {name: weight.bfloat16() for name, weight in load_stage(folder, "encoder").items()}
        self._encoder.load_state_dict(shipped)
        self._quantiser = load_codec(folder).quantiser

    @torch.inference_mode()
    def __call__(self, sound: np.ndarray) -> np.ndarray:
        """Of float32 [samples] at 24 kHz: int64 [n, 8]. The last frame need not be whole."""
        latents = self._encoder(torch.from_numpy(sound)[None])[0]
        return self._quantiser(latents, CODEBOOKS)[2].numpy()


class Excerpts:
    """Of the corpus, at random shifts: sound [B, n * 1920] and its latents [B, n, width]."""

    def __init__(self, sounds: Sounds, coder: Coder, seed: int) -> None:
        self._sounds, self._coder = sounds, coder
        self._rng = np.random.default_rng(seed)

    def draw(self, batch: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Each of `length` frames; sentences that are shorter are not drawn."""
        sound: list[torch.Tensor] = []
        latents = []
        while len(sound) < batch:
            index = int(self._rng.integers(len(self._sounds)))
            if self._sounds.samples(index) < length * SAMPLES_PER_FRAME:
                continue
            shift = int(self._rng.integers(SAMPLES_PER_FRAME))
            whole = torch.from_numpy(shifted(self._sounds[index], shift))
            latent = self._coder.latents(self._sounds[index], shift)
            at = int(self._rng.integers(len(latent) - length + 1))
            sound.append(whole[at * SAMPLES_PER_FRAME : (at + length) * SAMPLES_PER_FRAME])
            latents.append(latent[at : at + length])
        return torch.stack(sound), torch.stack(latents)


class SoundEncoder(nn.Module):
    """Sound to latents: the modules of Mimi that do it, narrower than those that ship (see `widened`)."""

    def __init__(self) -> None:
        super().__init__()
        mimi = MimiModel(MimiConfig(**codec_config(filters=_FILTERS)))
        self.encoder = mimi.encoder
        self.encoder_transformer = mimi.encoder_transformer
        self.downsample = mimi.downsample

    def forward(self, sound: torch.Tensor) -> torch.Tensor:
        """float32 [B, frames * 1920] to [B, frames, width]."""
        x = self.encoder(sound[:, None]).transpose(1, 2)
        x = self.encoder_transformer(x, use_cache=False, return_dict=True).last_hidden_state
        return self.downsample(x.transpose(1, 2)).transpose(1, 2)


def widened(narrow: Weights, shapes: Weights) -> Weights:
    """The same function in a wider module: what is new of each tensor is zero, and all that comes of it.

    Args:
        shapes: the wider module's own tensors.
    """
    wide = {}
    for name, tensor in narrow.items():
        wide[name] = torch.zeros_like(shapes[name])
        wide[name][tuple(slice(size) for size in tensor.shape)] = tensor
    return wide


def train_encoder(folder: Path, sounds: Sounds, *, seconds: float, seed: int = 44) -> None:
    """Train into `encoder.pt`: the mean squared distance to the latents of stage 1."""
    torch.manual_seed(seed)
    device = pick_device()
    model = SoundEncoder().to(device).train()
    run = Run(folder, "encoder", model, seconds=seconds, rate=1.5e-3)
    excerpts = Excerpts(sounds, Coder(folder), seed + run.step)
    while not run.over:
        sound, latents = excerpts.draw(_BATCH, _FRAMES)
        made = model(sound.to(device))
        target = latents.to(device)
        error = (made - target)[:, _LEAD:].square().mean()
        run.take(error / target.var(), share=float(error.detach() / target.var()))
    run.keep()
