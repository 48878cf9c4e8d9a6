"""Mimi's decoder behind the quantiser: latents to sound.

Its teacher is the vocoder, given the mel of the sketch and the pulses that the outline tells, so that the
sound is a function of the codes, to the phase. It begins as the outline did, whose states it may then change
as the sound needs them. Where a pulse lies is learned by the layers far from the sound, which the sound's own
losses hardly reach. So there are two shortcuts, used in training alone: from behind the first and the second
upsampling a linear layer makes the sound's lower part directly (deep supervision, Lee et al. 2015, arXiv
1409.5185). With them the same phases were learned in half the steps; without phases to learn from at all,
spectra alone left the voice hoarse for good.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from transformers import MimiConfig, MimiModel
from transformers.models.mimi.modeling_mimi import MimiResnetBlock

from training.codec.codes import load_codec
from training.codec.mel import PhaseLoss, SpectralLoss
from training.codec.outline import STEPS, Pieces, States, load_outline
from training.codec.sketch import Sketched
from training.codec.vocoder import Vocoder
from training.corpus.synthesis import log
from training.run import ATTENTION, Run, half, pick_device
from training.shapes import SAMPLES_PER_FRAME, codec_config

_BATCH, _FRAMES, _LEAD = 8, 6, 1
_POOL, _POOL_BATCH, _POOL_FRAMES, _POOL_LEAD = 16384, 32, 12, 4
"""Pieces that are made once, which takes five minutes; made anew for every step they would be half of it.
Every other batch is of codes that nano drew."""
_PHASE, _SPECTRA = (3.0, 1.5), (0.3, 2.0)
"""Weights of phases and spectra, each at the beginning and at the end. Spectra want periods wherever they may
be, phases where they belong: what is learned from spectra first has to be unlearned. But words are in the
spectra, and where it is not sure of a phase, the phase's loss wants silence."""
_SHORTCUTS = 2 / 3
"""Weight of the shortcuts, of the phases'."""
_AVERAGE = 0.999
_DOWN = 4, 2
"""How much slower than the sound each shortcut makes it."""
_HIGHER = 1.5
"""The power of its pulses by which a piece is drawn."""
_QUIET = 0.003
"""What the last layer's weights begin with, of what they would: a sound that is far too loud takes a hundred
steps to get over."""
_OUTLINE_RATE = 0.3
"""Of the learning rate, for what the outline has taught already."""


class SoundDecoder(States):
    """Latents [B, width, n] to sound, with the shortcuts."""

    def __init__(self) -> None:
        config = MimiConfig(**codec_config())
        mimi = MimiModel._from_config(config, attn_implementation=ATTENTION)
        super().__init__(mimi)
        self.decoder = mimi.decoder
        last = self.decoder.layers[-1].conv
        with torch.no_grad():
            last.weight.mul_(_QUIET)
            last.bias.zero_()
        hop = SAMPLES_PER_FRAME // STEPS
        self.shortcuts = nn.ModuleList()
        for number, down in enumerate(_DOWN):
            hop //= config.upsampling_ratios[number]
            shortcut = nn.Linear(config.num_filters * 4 // 2**number, hop // down)
            nn.init.zeros_(shortcut.weight)
            nn.init.zeros_(shortcut.bias)
            self.shortcuts.append(shortcut)

    def forward(self, latents: torch.Tensor, lead: int = 0) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """float [B, width, lead + n] to float [B, n * 1920] and what each shortcut makes,
        [B, n * 1920 / down]. Of the first `lead` frames the transformer alone hears."""
        x, between = self.states(latents)[:, lead * STEPS :].transpose(1, 2), []
        layers = list(self.decoder.layers)
        for layer, following in zip(layers, [*layers[1:], None], strict=True):
            x = layer(x)
            if isinstance(layer, MimiResnetBlock) and not isinstance(following, MimiResnetBlock):
                between.append(x)
        early = [
            shortcut(y.transpose(1, 2)).flatten(1)
            for shortcut, y in zip(self.shortcuts, between, strict=False)
        ]
        return x[:, 0], early


class Teacher:
    """Codes to pulses, and to the sound that has to be made of them."""

    def __init__(self, folder: Path) -> None:
        self._outline, self._sketch = load_outline(folder), Sketched(folder)
        self._codec, self._vocoder = load_codec(folder), Vocoder()

    @torch.no_grad()
    def __call__(self, codes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """int64 [B, 8, n] to int64 [B, n] and float32 [B, n * 1920]."""
        pulses, voiced = self._outline.pulses(self._outline(codes))
        mel = self._sketch(codes).mel * self._codec.scale + self._codec.mean
        return pulses, self._vocoder(mel, pulses, voiced)


def train_decoder(
    folder: Path, codes: np.ndarray, drawn: np.ndarray, *, seconds: float, seed: int = 43
) -> None:
    """Train into `decoder.pt`, on the frames of a corpus and on those that nano drew, both int [N, 8]."""
    torch.manual_seed(seed)
    device = pick_device()
    outline = load_outline(folder).to(device)
    model = SoundDecoder()
    model.begin_as(outline)
    model = model.to(device).train()
    slower = [*model.upsample.parameters(), *model.decoder_transformer.parameters()]
    run = Run(
        folder,
        "decoder",
        model,
        seconds=seconds,
        rate=2e-3,
        slower=slower,
        share=_OUTLINE_RATE,
        average=_AVERAGE,
    )
    pool = _pool(folder, codes, drawn, seed, device)
    share = hardness(pool.pulses)
    phase, spectra = PhaseLoss(device), SpectralLoss(device)
    generator = torch.Generator().manual_seed(seed + run.step)
    judged = _LEAD * SAMPLES_PER_FRAME
    while not run.over:
        some = torch.multinomial(share, _BATCH, generator=generator)
        at = int(torch.randint(_POOL_FRAMES - _FRAMES + 1, (1,), generator=generator))
        heard = pool.codes[some, :, at : at + _POOL_LEAD + _FRAMES].long()
        whole = pool.sounds[some, at * SAMPLES_PER_FRAME : (at + _FRAMES) * SAMPLES_PER_FRAME].float()
        with half(device):
            with torch.no_grad():
                latents = outline.quantizer.decode(heard)
            made, early = model(latents, _POOL_LEAD)
        made, wanted = made.float()[:, judged:], whole[:, judged:]
        off, difference = phase(made, wanted), spectra(made, wanted)
        lower = sum(
            _share_wrong(each.float(), slowed(whole, down), judged // down)
            for each, down in zip(early, _DOWN, strict=True)
        )
        phases, spectral = (
            first + (last - first) * run.used / run.seconds for first, last in (_PHASE, _SPECTRA)
        )
        run.take(
            phases * (off + _SHORTCUTS * lower) + spectral * difference,
            phase=float(off.detach()),
            spectra=float(difference.detach()),
        )
    run.keep()


def hardness(pulses: torch.Tensor) -> torch.Tensor:
    """How often each piece, of pulses [N, frames], is to be drawn: the more of them have to be in their
    places, the more there is to learn. Drawn evenly, high voices came out a third worse than low ones."""
    return pulses.float().mean(1) ** _HIGHER


class Pool(NamedTuple):
    """Pieces to learn from: codes int16 [N, 8, 4 + 12], the four to be heard before; pulses int64 [N, 12];
    sounds float16 [N, 12 * 1920]."""

    codes: torch.Tensor
    pulses: torch.Tensor
    sounds: torch.Tensor


def _pool(folder: Path, codes: np.ndarray, drawn: np.ndarray, seed: int, device: torch.device) -> Pool:
    path = folder / "decoder.pieces.pt"
    if not path.is_file():
        log("decoder: what it learns from is made")
        teacher, made = Teacher(folder), []
        kinds = Pieces(codes, seed), Pieces(drawn, seed, mixed=0)
        for number in range(_POOL // _POOL_BATCH):
            some = kinds[number % 2].draw(_POOL_BATCH, _POOL_LEAD + _POOL_FRAMES)
            pulses, sound = teacher(some)
            lead = _POOL_LEAD * SAMPLES_PER_FRAME
            made.append((some.short(), pulses[:, _POOL_LEAD:], sound[:, lead:].half()))
        torch.save([torch.cat(part) for part in zip(*made, strict=True)], path)
    found = Pool(*torch.load(path, weights_only=True))
    return Pool(found.codes.to(device), found.pulses, found.sounds.to(device))


def slowed(sound: torch.Tensor, down: int) -> torch.Tensor:
    """Its lower part at a `down` times lower rate: [B, samples / down]."""
    samples = sound.shape[-1]
    spectrum = torch.fft.rfft(sound)[..., : samples // down // 2 + 1]
    place = torch.linspace(0, 1, spectrum.shape[-1], device=sound.device)
    fading = 0.5 + 0.5 * torch.cos(torch.pi * ((place - 0.8) / 0.2).clamp(0, 1))
    return torch.fft.irfft(spectrum * fading, n=samples // down) / down


def _share_wrong(made: torch.Tensor, wanted: torch.Tensor, judged: int) -> torch.Tensor:
    """Energy of the difference, of what is wanted, from `judged` on; higher frequencies raised."""
    difference, whole = (made - wanted)[:, judged:], wanted[:, judged:]
    return _raised(difference).square().mean() / _raised(whole).square().mean()


def _raised(sound: torch.Tensor) -> torch.Tensor:
    return sound[:, 1:] - 0.7 * sound[:, :-1]
