"""Stage 2: codes to what a vocoder needs. More than the little network that the codes were learned with: the
codes tell more than it makes of them, and the pitch besides."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from training.codec.codes import MelCodec, load_codec, shifted
from training.codec.mel import BINS, PER_FRAME, filters, log_mel
from training.codec.pitch import track
from training.corpus.synthesis import Sounds, log
from training.run import Run, load_stage, pick_device
from training.shapes import CODEBOOKS, LATENT, SAMPLES_PER_FRAME

_WIDTH, _BLOCKS = 384, 4
_MEL = BINS * PER_FRAME
_USUAL_PULSES, _PULSES_SCALE = 10.0, 4.0
FEWEST_PULSES = 5
_RUN, _RUNS, _LEAD = 24, 64, 6


class Sketch(nn.Module):
    """Quantised latents [B, n, width] to normalised log-mel [B, n, 640], pulses in each frame [B, n] and
    logits of voicing [B, n, 8], causal."""

    def __init__(self) -> None:
        super().__init__()
        self.inp = nn.Linear(LATENT, _WIDTH)
        self.convs = nn.ModuleList(nn.Conv1d(_WIDTH, _WIDTH, 3) for _ in range(_BLOCKS))
        self.norms = nn.ModuleList(nn.LayerNorm(_WIDTH) for _ in range(_BLOCKS))
        self.mix = nn.ModuleList(nn.Linear(_WIDTH, _WIDTH) for _ in range(_BLOCKS))
        self.out = nn.Linear(_WIDTH, _MEL + 1 + PER_FRAME)

    def forward(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """See the class."""
        x = self.inp(latents)
        for conv, norm, mix in zip(self.convs, self.norms, self.mix, strict=True):
            y = conv(F.pad(norm(x).transpose(1, 2), (2, 0))).transpose(1, 2)
            x = x + mix(F.gelu(y))
        mel, pulses, voiced = self.out(x).float().split((_MEL, 1, PER_FRAME), dim=-1)
        return mel, pulses[..., 0] * _PULSES_SCALE + _USUAL_PULSES, voiced


def quantised(codec: MelCodec, codes: torch.Tensor) -> torch.Tensor:
    """Codes int64 [B, 8, n] to latents [B, n, width]."""
    return codec.quantiser.split.decode(codes).transpose(1, 2)


class Drawn(NamedTuple):
    """What the sketch tells of codes."""

    mel: torch.Tensor
    """Normalised log-mel float32 [B, n, 640]."""
    pulses: torch.Tensor
    """int64 [B, n]."""
    voiced: torch.Tensor
    """bool [B, n, 8]."""


class Sketched:
    """Codes to what the trained sketch tells of them."""

    def __init__(self, folder: Path) -> None:
        self._codec, self._sketch = load_codec(folder), Sketch()
        self._sketch.load_state_dict(load_stage(folder, "sketch"))
        self._sketch.eval()

    @torch.no_grad()
    def __call__(self, codes: torch.Tensor) -> Drawn:
        """int64 [B, 8, n] to what is told of them."""
        mel, pulses, voiced = self._sketch(quantised(self._codec, codes))
        return Drawn(mel, pulses.round().long().clamp_min(FEWEST_PULSES), voiced > 0)


def write_frames(folder: Path, name: str, sounds: Sounds, *, seed: int = 45) -> Path:
    """All frames of a corpus, each sound at some shift, into `NAME.frames.npz`: `mel` float16 [N, 640],
    `pulses` [N], `voiced` [N, 8], `codes` [N, 8]."""
    path = folder / f"{name}.frames.npz"
    if path.is_file():
        return path
    codec, bank, rng = load_codec(folder), filters(BINS, 1024), np.random.default_rng(seed)
    columns: dict[str, list[np.ndarray]] = {"mel": [], "pulses": [], "voiced": [], "codes": []}
    with torch.inference_mode():
        for index in range(len(sounds)):
            shift = int(rng.integers(SAMPLES_PER_FRAME))
            sound = torch.from_numpy(shifted(sounds[index], shift))[None]
            mel = log_mel(sound, bank)
            pulses, voiced = track(sound)
            codes = codec.quantiser(codec.latents(mel)[0], CODEBOOKS)[2]
            columns["mel"].append(mel[0].half().numpy())
            columns["pulses"].append(pulses[0].numpy())
            columns["voiced"].append(voiced[0].numpy())
            columns["codes"].append(codes.short().numpy())
    whole = {name: np.concatenate(arrays) for name, arrays in columns.items()}
    np.savez(path, allow_pickle=False, **whole)
    return path


def train_sketch(folder: Path, sounds: Sounds, *, seconds: float, seed: int = 46) -> None:
    """Train into `sketch.pt`."""
    torch.manual_seed(seed)
    device = pick_device()
    kept = np.load(write_frames(folder, "answers", sounds))
    codec = load_codec(folder)
    codes = torch.from_numpy(kept["codes"].astype(np.int64))
    with torch.no_grad():
        latents = quantised(codec, codes.T[None])[0]
    mel = codec.normal(torch.from_numpy(kept["mel"]).float())
    pulses, voiced = torch.from_numpy(kept["pulses"]), torch.from_numpy(kept["voiced"]).float()
    log(f"sketch: {len(codes)} frames")
    model = Sketch().to(device).train()
    run = Run(folder, "sketch", model, seconds=seconds, rate=2e-3)
    generator = torch.Generator().manual_seed(seed + run.step)
    steps = torch.arange(_RUN)
    while not run.over:
        at = torch.randint(len(codes) - _RUN, (_RUNS, 1), generator=generator) + steps
        with torch.autocast(device.type, torch.bfloat16):
            made, beat, voice = model(latents[at].to(device))
        judged = at[:, _LEAD:]
        difference = made[:, _LEAD:] - mel[judged].to(device)
        wanted = pulses[judged].to(device)
        off = (beat[:, _LEAD:] - wanted).clamp(-_PULSES_SCALE, _PULSES_SCALE) * (wanted > 0)
        unsure = F.binary_cross_entropy_with_logits(voice[:, _LEAD:], voiced[judged].to(device))
        loss = difference.abs().mean() + difference.square().mean() + 0.1 * off.square().mean() + 0.3 * unsure
        run.take(loss, mel=float(difference.detach().abs().mean()), pulses=float(off.detach().abs().mean()))
    run.keep()
