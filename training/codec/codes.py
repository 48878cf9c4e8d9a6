"""Stage 1: codes learned on log-mel, without any waveform. What comes out is frozen for all that follows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import MimiConfig

from training.codec.mel import BINS, PER_FRAME, filters, log_mel
from training.codec.quantiser import TrainedQuantiser
from training.corpus.synthesis import Sounds, log
from training.run import Run, load_stage, pick_device
from training.shapes import CODEBOOKS, LATENT, SAMPLES_PER_FRAME, codec_config

_MEL = BINS * PER_FRAME
_CONTEXT = 3
"""Frames that each network sees: its own and the two before it."""
_RUN = 16
_RUNS = 64


class MelCodec(nn.Module):
    """Mel frames to a latent to codes and back, causal all along."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Linear(_MEL, 320)
        self.encoder = nn.Sequential(
            nn.Linear(_CONTEXT * 320, 512), nn.GELU(), nn.Linear(512, 384), nn.GELU(), nn.Linear(384, LATENT)
        )
        self.quantiser = TrainedQuantiser(MimiConfig(**codec_config()))
        self.decoder = nn.Sequential(
            nn.Linear(_CONTEXT * LATENT, 512), nn.GELU(), nn.Linear(512, 512), nn.GELU(), nn.Linear(512, _MEL)
        )
        self.mean = nn.Buffer(torch.zeros(_MEL))
        self.scale = nn.Buffer(torch.ones(_MEL))

    def latents(self, frames: torch.Tensor) -> torch.Tensor:
        """Log-mel [B, n, 640] to latents [B, n, width]."""
        return self.encoder(_with_past(nn.functional.gelu(self.look(self.normal(frames)))))

    def mel(self, quantised: torch.Tensor) -> torch.Tensor:
        """Quantised latents [B, n, width] to normalised log-mel [B, n, 640]."""
        return self.decoder(_with_past(quantised))

    def normal(self, frames: torch.Tensor) -> torch.Tensor:
        """Log-mel with mean 0 and deviation 1."""
        return (frames - self.mean) / self.scale


def load_codec(folder: Path) -> MelCodec:
    """What stage 1 made, frozen."""
    model = MelCodec()
    model.load_state_dict(load_stage(folder, "codes"))
    return model.eval().requires_grad_(False)


def _with_past(x: torch.Tensor) -> torch.Tensor:
    """[B, n, width] to [B, n, context * width]: each frame after those before it, zeros at the start."""
    padded = F.pad(x, (0, 0, _CONTEXT - 1, 0))
    return torch.cat([padded[:, shift : shift + x.shape[1]] for shift in range(_CONTEXT)], dim=-1)


def shifted(sound: np.ndarray, shift: int) -> np.ndarray:
    """`shift` samples of silence before a sound, and silence after it to whole frames with one to spare."""
    length = shift + len(sound)
    frames = length // SAMPLES_PER_FRAME + 2
    return np.pad(sound, (shift, frames * SAMPLES_PER_FRAME - length))


def train_codes(folder: Path, sounds: Sounds, *, seconds: float, seed: int = 41) -> None:
    """Train into `codes.pt`."""
    torch.manual_seed(seed)
    device = pick_device()
    model = MelCodec().to(device).train()
    frames = _mel_frames(sounds, np.random.default_rng(seed))
    model.mean.copy_(frames[::7].float().mean(0))
    model.scale.copy_(frames[::7].float().std(0))
    run = Run(folder, "codes", model, seconds=seconds, rate=1.5e-3)
    log(f"codes: {len(frames)} frames")
    generator = torch.Generator().manual_seed(seed + run.step)
    steps = torch.arange(_RUN)
    while not run.over:
        at = torch.randint(len(frames) - _RUN, (_RUNS, 1), generator=generator)
        batch = frames[at + steps].float().to(device)
        books = CODEBOOKS
        if torch.rand((), generator=generator) < 0.3:
            books = int(torch.randint(1, CODEBOOKS, (), generator=generator))
        latent = model.latents(batch)
        quantised, commitment, codes = model.quantiser(latent.flatten(0, 1), books)
        made = model.mel(quantised.view(latent.shape))
        # The first frames of a piece lack their past.
        difference = (made - model.normal(batch))[:, 2 * (_CONTEXT - 1) :]
        loss = difference.abs().mean() + difference.square().mean() + commitment
        run.take(loss, mel=float(difference.detach().abs().mean()), bits=_bits(codes[:, -1]))
    run.keep()


def _mel_frames(sounds: Sounds, rng: np.random.Generator) -> torch.Tensor:
    """All frames of the corpus, float16 [N, 640]."""
    bank = filters(BINS, 1024)
    made = []
    for index in range(len(sounds)):
        sound = shifted(sounds[index], int(rng.integers(SAMPLES_PER_FRAME)))
        made.append(log_mel(torch.from_numpy(sound)[None], bank)[0].half())
    return torch.cat(made)


def _bits(codes: torch.Tensor) -> float:
    """Entropy of the codes in use."""
    share = torch.bincount(codes).float() / len(codes)
    share = share[share > 0]
    return float(-(share * share.log2()).sum())
