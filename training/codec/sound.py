"""Stages 2 and 3: Mimi's decoder from frozen codes to sound, its encoder from sound to the same latents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers import MimiConfig, MimiModel

from training.codec.codes import MelCodec, shifted
from training.codec.mel import SpectralLoss, filters, log_mel
from training.corpus.synthesis import Sounds
from training.run import Run, load_stage, pick_device
from training.shapes import CODEBOOKS, SAMPLES_PER_FRAME, codec_config

_LEAD = 4
"""Frames at the start of a piece that only give the decoder its state; they are not judged."""
_FRAMES = 20
_BATCH = 8


def load_codec(folder: Path) -> MelCodec:
    """What stage 1 made, frozen."""
    model = MelCodec()
    model.load_state_dict(load_stage(folder, "codes"))
    return model.eval().requires_grad_(False)


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


@torch.inference_mode()
def write_heard(folder: Path, name: str, sounds: Sounds) -> Path:
    """What the encoder of stage 3 hears in a corpus, into `NAME.heard.npz`: `codes` [frames, 8], and `ends`
    of the sentences in them."""
    path = folder / f"{name}.heard.npz"
    if path.is_file():
        return path
    encoder = SoundEncoder().eval()
    encoder.load_state_dict(load_stage(folder, "encoder"))
    quantiser = load_codec(folder).quantiser
    codes = []
    for index in range(len(sounds)):
        sound = torch.from_numpy(shifted(sounds[index], 0))
        codes.append(quantiser(encoder(sound[None])[0], CODEBOOKS)[2].short().numpy())
    np.savez(path, codes=np.concatenate(codes), ends=np.cumsum([len(each) for each in codes]))
    return path


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


def train_decoder(folder: Path, sounds: Sounds, *, seconds: float, seed: int = 43) -> None:
    """Train into `decoder.pt`."""
    torch.manual_seed(seed)
    device = pick_device()
    model = SoundDecoder(load_codec(folder)).to(device).train()
    distance = SpectralLoss(device)
    run = Run(folder, "decoder", model, seconds=seconds, rate=1.5e-3)
    pieces = Pieces(sounds, Coder(folder), seed + run.step)
    judged = _LEAD * SAMPLES_PER_FRAME
    while not run.over:
        sound, codes, _ = pieces.draw(_BATCH, _FRAMES)
        made = model(codes.to(device))
        run.take(distance(made[:, judged:], sound[:, judged:].to(device)))
    run.keep()


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
