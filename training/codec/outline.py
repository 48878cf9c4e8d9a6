"""The first half of Mimi's decoder: codes to what their sound will be, 25 times a second.

Learned before there is any sound, and cheaply, from the sketch: mel, voicing, and how many pulses a frame
has. The pulses are told as one of so many classes, not as a number. A number that is a little wrong puts
every pulse where it does not belong; a class that was chosen is exact, and what it chooses is what the second
half is taught to sound.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import MimiConfig, MimiModel

from training.codec.codes import MelCodec, load_codec
from training.codec.mel import BINS, PER_FRAME
from training.codec.sketch import FEWEST_PULSES, Drawn, Sketched
from training.run import Run, half, load_stage, pick_device
from training.shapes import CODEBOOKS, LATENT, codec_config

STEPS = 2
"""Steps of Mimi's transformer in a frame."""
_MOST_PULSES = 24
_COLUMNS = PER_FRAME // STEPS
_PARTS = (_COLUMNS * BINS, _MOST_PULSES + 1 - FEWEST_PULSES, _COLUMNS)
_RUN, _RUNS, _LEAD = 24, 24, 6
_MIXED = 0.4
"""Up to this share of the codes of the last book is exchanged for another, fewer of the books before."""


class States(nn.Module):
    """Mimi's upsampling and transformer: latents to states."""

    def __init__(self, mimi: MimiModel) -> None:
        super().__init__()
        self.upsample = mimi.upsample
        self.decoder_transformer = mimi.decoder_transformer

    def states(self, latents: torch.Tensor) -> torch.Tensor:
        """float [B, width, n] to [B, 2 n, width]."""
        x = self.upsample(latents).transpose(1, 2)
        states: torch.Tensor = self.decoder_transformer(x, use_cache=False, return_dict=True)[0]
        return states

    def begin_as(self, other: States) -> None:
        """Take over the other's weights."""
        self.upsample.load_state_dict(other.upsample.state_dict())
        self.decoder_transformer.load_state_dict(other.decoder_transformer.state_dict())


class Outline(States):
    """Codes to states [B, 2 n, width], and what a linear look at those tells."""

    def __init__(self, codec: MelCodec) -> None:
        super().__init__(MimiModel(MimiConfig(**codec_config())))
        self.quantizer = codec.quantiser.split.requires_grad_(False)
        self.tell = nn.Linear(LATENT, sum(_PARTS))

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """int64 [B, 8, n] to float [B, 2 n, width]."""
        return self.states(self.quantizer.decode(codes))

    def told(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Normalised log-mel [B, n, 640], logits of the pulses' classes [B, 2 n, 20] and of voicing
        [B, n, 8]."""
        mel, pulses, voiced = self.tell(states.float()).split(_PARTS, dim=-1)
        frames = states.shape[1] // STEPS
        return mel.reshape(len(mel), frames, -1), pulses, voiced.reshape(len(mel), frames, -1)

    def pulses(self, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The pulses int64 [B, n] and the voicing bool [B, n, 8] that it is sure enough of: as known at the
        beginning of each frame, for that is when its sound begins."""
        _, pulses, voiced = self.told(states)
        return pulses[:, ::STEPS].argmax(-1) + FEWEST_PULSES, voiced > 0


def load_outline(folder: Path) -> Outline:
    """What this stage made, frozen."""
    model = Outline(load_codec(folder))
    weights = load_stage(folder, "outline")
    # Weights that are kept are rounded. The codebooks are the codec's: rounded, they would move codes.
    model.load_state_dict(weights | model.quantizer.state_dict(prefix="quantizer."))
    return model.eval().requires_grad_(False)


class Pieces:
    """Stretches of a corpus's codes, some of them exchanged as a voice errs."""

    def __init__(self, codes: np.ndarray, seed: int, *, mixed: float = _MIXED) -> None:
        """`codes`: int [N, 8], frames one after another. `mixed`: the largest share that is exchanged."""
        self._codes, self._mixed = torch.from_numpy(codes.astype(np.int64)), mixed
        self._generator = torch.Generator().manual_seed(seed)

    def draw(self, batch: int, frames: int) -> torch.Tensor:
        """int64 [batch, 8, frames]."""
        generator = self._generator
        begin = torch.randint(len(self._codes) - frames, (batch, 1), generator=generator)
        codes = self._codes[begin + torch.arange(frames)]
        other = codes[torch.randperm(batch, generator=generator)]
        share = torch.rand(batch, 1, 1, generator=generator) * self._mixed
        taken = torch.rand(codes.shape, generator=generator) < share * torch.linspace(0, 1, CODEBOOKS)
        return torch.where(taken, other, codes).transpose(1, 2)


def train_outline(folder: Path, codes: np.ndarray, *, seconds: float, seed: int = 47) -> None:
    """Train into `outline.pt`, on the frames of a corpus, int [N, 8]."""
    torch.manual_seed(seed)
    device = pick_device()
    sketch = Sketched(folder)
    model = Outline(load_codec(folder)).to(device).train()
    run = Run(folder, "outline", model, seconds=seconds, rate=3e-3)
    pieces = Pieces(codes, seed + run.step)
    while not run.over:
        piece = pieces.draw(_RUNS, _RUN)
        with half(device):
            states = model(piece.to(device))
        loss, figures = _distance(model, states[:, STEPS * _LEAD :], sketch(piece))
        run.take(loss, **figures)
    run.keep()


def _distance(model: Outline, states: torch.Tensor, drawn: Drawn) -> tuple[torch.Tensor, dict[str, float]]:
    """The loss, and its figures."""
    mel, pulses, voiced = model.told(states)
    wanted = Drawn(*(part[:, _LEAD:].to(states.device) for part in drawn))
    classes = (wanted.pulses - FEWEST_PULSES).clamp(0, _PARTS[1] - 1).repeat_interleave(STEPS, 1)
    heard = wanted.voiced.unflatten(-1, (STEPS, -1)).any(-1).flatten(1)
    off = F.cross_entropy(pulses.transpose(1, 2), classes, reduction="none")[heard].mean()
    near = (mel - wanted.mel).abs().mean()
    unsure = F.binary_cross_entropy_with_logits(voiced, wanted.voiced.float())
    right = (pulses.argmax(-1) == classes)[heard].float().mean()
    return 2 * near + off + unsure, {"mel": float(near.detach()), "right": float(right)}
