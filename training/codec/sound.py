"""Stages 3 and 4: Mimi's decoder from frozen codes to sound, its encoder from sound to the same latents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers import MimiConfig, MimiModel

from training.codec.codes import MelCodec, load_codec, shifted
from training.codec.mel import SpectralLoss, filters, log_mel
from training.codec.sketch import Voice
from training.corpus.synthesis import Sounds
from training.run import Run, load_stage, pick_device
from training.shapes import CODEBOOKS, SAMPLES_PER_FRAME, codec_config

_LEAD = 4
"""Frames at the start of a piece that only give the decoder its state; they are not judged."""
_FRAMES = 20
_BATCH = 8
_PIECE, _PIECE_LEAD, _PIECES = 12, 3, 10
"""What the decoder is trained on: shorter pieces and more of them, for a pulse is a small thing."""
_WAVE = 1.5
"""Weight of the waveform beside the spectra."""
_PHASE_FIRST = 0.4
"""Share of the time in which spectra count less. They want periods wherever they may be, the waveform where
they belong: what is learned from spectra first has to be unlearned."""
_MIXED = 0.4
"""Up to this share of the codes of the last book is exchanged for another, fewer of the books before."""


class Coder:
    """Codes of stage 1, of any sound at any shift."""

    def __init__(self, folder: Path) -> None:
        self._model, self._bank = load_codec(folder), filters(80, 1024)

    @torch.inference_mode()
    def latents(self, sound: np.ndarray, shift: int) -> tuple[torch.Tensor, torch.Tensor]:
        """float32 [samples] at 24 kHz to latents [n, width] and codes [n, 8]; `shift` samples of silence come
        first."""
        whole = torch.from_numpy(shifted(sound, shift))
        latents = self._model.latents(log_mel(whole[None], self._bank))[0]
        return latents, self._model.quantiser(latents, CODEBOOKS)[2]

    def __call__(self, sound: np.ndarray, shift: int) -> np.ndarray:
        """Its codes alone: int64 [n, 8]."""
        return self.latents(sound, shift)[1].numpy()


class Ear:
    """Codes of the encoder of stage 4, as the finished model has them of a reference."""

    def __init__(self, folder: Path) -> None:
        self._encoder = SoundEncoder().eval()
        self._encoder.load_state_dict(load_stage(folder, "encoder"))
        self._quantiser = load_codec(folder).quantiser

    @torch.inference_mode()
    def __call__(self, sound: np.ndarray) -> np.ndarray:
        """Of float32 [samples] at 24 kHz: int64 [n, 8]."""
        whole = torch.from_numpy(shifted(sound, 0))
        return self._quantiser(self._encoder(whole[None])[0], CODEBOOKS)[2].numpy()


class Pieces:
    """Pieces of the corpus at random shifts: sound [B, n * 1920], codes [B, 8, n], latents [B, n, width]."""

    def __init__(self, sounds: Sounds, coder: Coder, seed: int) -> None:
        self._sounds, self._coder = sounds, coder
        self._rng = np.random.default_rng(seed)

    def draw(self, batch: int, length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Pieces of `length` frames; sentences that are shorter are not drawn."""
        sound: list[torch.Tensor] = []
        codes, latents = [], []
        while len(sound) < batch:
            index = int(self._rng.integers(len(self._sounds)))
            if self._sounds.samples(index) < length * SAMPLES_PER_FRAME:
                continue
            shift = int(self._rng.integers(SAMPLES_PER_FRAME))
            whole = torch.from_numpy(shifted(self._sounds[index], shift))
            latent, code = self._coder.latents(self._sounds[index], shift)
            at = int(self._rng.integers(len(code) - length + 1))
            sound.append(whole[at * SAMPLES_PER_FRAME : (at + length) * SAMPLES_PER_FRAME])
            codes.append(code[at : at + length].T)
            latents.append(latent[at : at + length])
        return torch.stack(sound), torch.stack(codes), torch.stack(latents)


class SoundDecoder(nn.Module):
    """Codes to sound: the modules of Mimi that do it, the quantiser frozen."""

    def __init__(self, codec: MelCodec) -> None:
        super().__init__()
        mimi = MimiModel(MimiConfig(**codec_config()))
        self.quantizer = codec.quantiser.split.requires_grad_(False)
        self.upsample = mimi.upsample
        self.decoder_transformer = mimi.decoder_transformer
        self.decoder = mimi.decoder

    def forward(self, codes: torch.Tensor) -> torch.Tensor:
        """int64 [B, 8, frames] to float32 [B, frames * 1920]."""
        x = self.upsample(self.quantizer.decode(codes)).transpose(1, 2)
        x = self.decoder_transformer(x, use_cache=False, return_dict=True).last_hidden_state
        return self.decoder(x.transpose(1, 2))[:, 0]


class SoundEncoder(nn.Module):
    """Sound to latents: the modules of Mimi that do it."""

    def __init__(self) -> None:
        super().__init__()
        mimi = MimiModel(MimiConfig(**codec_config()))
        self.encoder = mimi.encoder
        self.encoder_transformer = mimi.encoder_transformer
        self.downsample = mimi.downsample

    def forward(self, sound: torch.Tensor) -> torch.Tensor:
        """float32 [B, frames * 1920] to [B, frames, width]."""
        x = self.encoder(sound[:, None]).transpose(1, 2)
        x = self.encoder_transformer(x, use_cache=False, return_dict=True).last_hidden_state
        return self.downsample(x.transpose(1, 2)).transpose(1, 2)


def train_decoder(folder: Path, codes: np.ndarray, *, seconds: float, seed: int = 43) -> None:
    """Train into `decoder.pt`: what `Voice` makes of the same codes, in its spectra and, as that is a
    function of the codes to the phase, in its waveform.

    Args:
        codes: int [N, 8], frames of a corpus one after another.
    """
    torch.manual_seed(seed)
    device = pick_device()
    model = SoundDecoder(load_codec(folder)).to(device).train()
    voice, distance = Voice(folder), SpectralLoss(device)
    run = Run(folder, "decoder", model, seconds=seconds, rate=1.5e-3)
    generator = torch.Generator().manual_seed(seed + run.step)
    frames = torch.from_numpy(codes.astype(np.int64))
    steps, judged = torch.arange(_PIECE), _PIECE_LEAD * SAMPLES_PER_FRAME
    while not run.over:
        at = torch.randint(len(frames) - _PIECE, (_PIECES, 1), generator=generator) + steps
        piece = _mixed(frames[at], generator).transpose(1, 2)
        wanted = voice(piece)[:, judged:].to(device)
        made = model(piece.to(device))[:, judged:]
        wave = (_raised(made) - _raised(wanted)).square().mean() / _raised(wanted).square().mean()
        spectra = distance(made, wanted)
        trust = min(1.0, 0.1 + run.used / (_PHASE_FIRST * run.seconds))
        run.take(trust * spectra + _WAVE * wave, wave=float(wave.detach()), spectra=float(spectra.detach()))
    run.keep()


def _raised(sound: torch.Tensor) -> torch.Tensor:
    """The higher frequencies made louder, as loud as they are heard beside the lower ones."""
    return sound[:, 1:] - 0.9 * sound[:, :-1]


def _mixed(codes: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Some codes of the later books [B, n, 8] exchanged for those of other frames, as a voice errs."""
    other = codes[torch.randperm(len(codes), generator=generator)]
    share = torch.rand(len(codes), 1, 1, generator=generator) * _MIXED
    taken = torch.rand(codes.shape, generator=generator) < share * torch.linspace(0, 1, CODEBOOKS)
    return torch.where(taken, other, codes)


def train_encoder(folder: Path, sounds: Sounds, *, seconds: float, seed: int = 44) -> None:
    """Train into `encoder.pt`: the mean squared distance to the latents of stage 1."""
    torch.manual_seed(seed)
    device = pick_device()
    model = SoundEncoder().to(device).train()
    run = Run(folder, "encoder", model, seconds=seconds, rate=1.5e-3)
    pieces = Pieces(sounds, Coder(folder), seed + run.step)
    while not run.over:
        sound, _, latents = pieces.draw(_BATCH, _FRAMES)
        made = model(sound.to(device))
        target = latents.to(device)
        error = (made - target)[:, _LEAD // 2 :].square().mean()
        run.take(error / target.var(), share=float(error.detach() / target.var()))
    run.keep()
