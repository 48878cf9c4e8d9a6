"""Spectra: the log-mel frames that codes are learned on, and the distances that sound is trained by."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F
from transformers.audio_utils import mel_filter_bank

RATE = 24_000
BINS = 80
HOP = 240
PER_FRAME = 8
"""Mel columns in a codec frame of 1,920 samples."""
WINDOW = 1024


def filters(bins: int, window: int) -> torch.Tensor:
    """Mel filters float32 [window // 2 + 1, bins]."""
    bank = mel_filter_bank(window // 2 + 1, bins, 0.0, RATE / 2, RATE, norm="slaney", mel_scale="slaney")
    return torch.from_numpy(np.asarray(bank)).float()


def log_mel(sound: torch.Tensor, bank: torch.Tensor) -> torch.Tensor:
    """Log-mel of float32 [B, n * 1920] as frames [B, n, 8 * 80]. No column sees past its own end."""
    padded = F.pad(sound, (WINDOW - HOP, 0))
    spectrum = torch.stft(
        padded, WINDOW, HOP, window=torch.hann_window(WINDOW, device=sound.device), center=False,
        return_complex=True,
    ).abs()  # fmt: skip
    mel = (spectrum.transpose(1, 2) @ bank).clamp_min(1e-4).log()
    return mel.reshape(sound.shape[0], -1, PER_FRAME * BINS)


class SpectralLoss:
    """Distance of two sounds over spectra of several window lengths, each time of some drawn at random: they
    tell much the same, and take longer than the sound does to be made.

    Log magnitudes and log-mel (L1 both) and spectral convergence, as in the
    multi-resolution losses of Parallel WaveGAN (arXiv 1910.11480) and DAC (arXiv 2306.06546).

    Args:
        at_once: windows that are looked through each time, of five.
    """

    _WINDOWS = (2048, 1024, 512, 256, 128)
    _MEL_BINS = (80, 80, 40, 20, 10)
    _MEL = 4.0
    """Weight of the mels: most words are told below 3 kHz, where a quarter of the other bins lie."""

    def __init__(self, device: torch.device, at_once: int = 2) -> None:
        self._at_once = at_once
        self._hann = {size: torch.hann_window(size, device=device) for size in self._WINDOWS}
        self._banks = {
            size: filters(bins, size).to(device)
            for size, bins in zip(self._WINDOWS, self._MEL_BINS, strict=True)
        }

    def __call__(self, made: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Both float32 [B, samples]; a scalar."""
        total = made.new_zeros(())
        for size in (self._WINDOWS[at] for at in torch.randperm(len(self._WINDOWS))[: self._at_once]):
            hann = self._hann[size]
            pair = torch.stft(
                torch.cat((made, real)), size, size // 4, window=hann, center=True, return_complex=True
            )
            magnitude = (pair.real.square() + pair.imag.square() + 1e-7).sqrt()
            m, r = magnitude.chunk(2)
            total = total + (m - r).square().sum().sqrt() / r.square().sum().sqrt().clamp_min(1e-3)
            total = total + (m.clamp_min(1e-2).log() - r.clamp_min(1e-2).log()).abs().mean()
            mels = (magnitude.transpose(1, 2) @ self._banks[size]).clamp_min(1e-3).log()
            mel_made, mel_real = mels.chunk(2)
            total = total + self._MEL * (mel_made - mel_real).abs().mean()
        return total * (len(self._WINDOWS) / self._at_once)


class PhaseLoss:
    """Distance of two sounds over their complex spectra: how much of one is not the other, each bin counted
    less the louder it is, so that faint harmonics count too. 1 where the phases are not known at all."""

    _WINDOWS = (1024, 256)
    _FAINT = 0.1
    """Of the root mean square of a spectrum: what is fainter counts no more than this does."""

    def __init__(self, device: torch.device) -> None:
        self._hann = {size: torch.hann_window(size, device=device) for size in self._WINDOWS}

    def __call__(self, made: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """Both float32 [B, samples]; a scalar."""
        total = made.new_zeros(())
        for size, hann in self._hann.items():
            pair = torch.stft(torch.cat((made, real)), size, size // 4, window=hann, return_complex=True)
            m, r = pair.chunk(2)
            loud = r.abs()
            weight = 1 / (loud + self._FAINT * loud.square().mean().sqrt())
            wrong = ((m - r).abs().square() * weight).sum()
            total = total + wrong / (loud.square() * weight).sum()
        return total / len(self._WINDOWS)
