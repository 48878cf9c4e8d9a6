"""A vocoder without anything learned: mel, pitch and voicing to sound, by source and filter.

Its pulses are locked to the codec's frames: a frame has a whole number of them, the first at its beginning.
So the sound is a function of the frames, to the phase, and a small network can learn it. Of recorded speech
it could not: codes that were learned on mel do not tell where in its period a voice is, and whoever guesses
makes it hoarse.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F
from transformers.audio_utils import hertz_to_mel

from training.codec.mel import BINS, HOP, PER_FRAME, RATE, WINDOW
from training.codec.pitch import FRAME_RATE
from training.shapes import SAMPLES_PER_FRAME

LAG = WINDOW // 2
"""Samples that its sound is late by: a column of mel is complete half a window after its middle."""
_SIZE = 2048
_BANDS = _SIZE // 2 + 1
_NOISY_FROM, _NOISY_WIDTH = 5000.0, 600.0
"""Hertz from which on a voiced sound is noise too, and how gradually."""
_UNVOICED_SMOOTHING = 50.0
"""Hertz that the spectrum is smoothed over where there is no pitch to go by."""


class Vocoder:
    """Log-mel and pulses to sound."""

    def __init__(self, seed: int = 3) -> None:
        self._noise = torch.randn(SAMPLES_PER_FRAME, generator=torch.Generator().manual_seed(seed))
        hertz = torch.linspace(0, RATE / 2, _BANDS)
        self._spread = _interpolation(hertz)
        self._periodic = torch.sigmoid((_NOISY_FROM - hertz) / _NOISY_WIDTH)
        self._hann = torch.hann_window(2 * HOP)
        causal = torch.zeros(_SIZE)
        causal[0], causal[1 : _SIZE // 2], causal[_SIZE // 2] = 1, 2, 1
        self._causal = causal
        # Root mean square of white noise in one bin of the window that mel is made with.
        self._white = float(torch.hann_window(WINDOW).square().sum().sqrt())

    def __call__(self, mel: torch.Tensor, pulses: torch.Tensor, voiced: torch.Tensor) -> torch.Tensor:
        """Sound float32 [B, n * 1920], `LAG` samples late.

        Args:
            mel: log-mel as `mel.log_mel` makes it, [B, n, 640].
            pulses: int64 [B, n], at least 1.
            voiced: bool [B, n, 8].
        """
        batch, frames = pulses.shape
        columns = frames * PER_FRAME
        voice = voiced.reshape(batch, columns)
        hertz = (pulses * FRAME_RATE).repeat_interleave(PER_FRAME, 1)
        magnitude = (mel.reshape(batch, columns, BINS) @ self._spread).exp() * (RATE / WINDOW)
        smoothed = _smoothed(magnitude.square(), torch.where(voice, hertz, _UNVOICED_SMOOTHING))
        response = self._minimum_phase((smoothed + 1e-9).sqrt() / self._white)
        periodic = voice[..., None] * self._periodic
        made = self._filtered(self._train(pulses), response * periodic.sqrt())
        noise = self._noise.repeat(frames).expand(batch, -1)
        return made + self._filtered(noise, response * (1 - periodic).sqrt())

    def _train(self, pulses: torch.Tensor) -> torch.Tensor:
        """Pulses at even distances within each frame, of power 1: [B, n * 1920]."""
        past = torch.arange(SAMPLES_PER_FRAME) * pulses[..., None] // SAMPLES_PER_FRAME
        first = torch.ones_like(past[..., :1], dtype=torch.bool)
        here = torch.cat((first, past[..., 1:] != past[..., :-1]), dim=-1)
        return (here * (SAMPLES_PER_FRAME / pulses[..., None]).sqrt()).flatten(1)

    def _minimum_phase(self, magnitude: torch.Tensor) -> torch.Tensor:
        """The causal response with this magnitude [..., bands], by folding its cepstrum (Oppenheim and
        Schafer, Discrete-Time Signal Processing)."""
        cepstrum = torch.fft.irfft(magnitude.log(), n=_SIZE)
        return torch.fft.rfft(cepstrum * self._causal, n=_SIZE).exp()

    def _filtered(self, source: torch.Tensor, response: torch.Tensor) -> torch.Tensor:
        """Overlap-add of a source [B, samples] through one response for each column [B, columns, bands]."""
        columns = response.shape[1]
        pieces = F.pad(source, (HOP, 0)).unfold(1, 2 * HOP, HOP)[:, :columns] * self._hann
        made = torch.fft.irfft(torch.fft.rfft(pieces, n=_SIZE) * response, n=_SIZE)
        length = (columns - 1) * HOP + _SIZE
        whole = F.fold(made.transpose(1, 2), (1, length), (1, _SIZE), stride=(1, HOP))[:, 0, 0]
        return whole[:, HOP : HOP + source.shape[1]]


def _interpolation(hertz: torch.Tensor) -> torch.Tensor:
    """Matrix [bins, bands] from mel bins to frequencies between their middles."""
    step = hertz_to_mel(RATE / 2, mel_scale="slaney") / (BINS + 1)
    mels = torch.tensor([hertz_to_mel(float(each), mel_scale="slaney") for each in hertz])
    place = (mels / step - 1).clamp(0, BINS - 1)
    below = place.floor().long().clamp_max(BINS - 2)
    share = (place - below).float()
    matrix = torch.zeros(BINS, len(hertz))
    matrix[below, torch.arange(len(hertz))] = 1 - share
    matrix[below + 1, torch.arange(len(hertz))] = share
    return matrix


def _smoothed(power: torch.Tensor, hertz: torch.Tensor) -> torch.Tensor:
    """Power [..., bands] averaged over so many hertz [...] around each band: what lies between harmonics is
    filled in, as CheapTrick does (Morise 2015)."""
    total = F.pad(power.double().cumsum(-1), (1, 0))
    half = (hertz.double() / 2 / (RATE / _SIZE)).clamp_min(0.5)[..., None]
    middle = torch.arange(_BANDS, dtype=torch.float64) + 0.5
    low, high = (middle - half).clamp_min(0), (middle + half).clamp_max(_BANDS)

    def up_to(place: torch.Tensor) -> torch.Tensor:
        below = place.floor().long().clamp_max(_BANDS - 1)
        share = place - below
        return total.gather(-1, below) * (1 - share) + total.gather(-1, below + 1) * share

    return ((up_to(high) - up_to(low)) / (high - low)).clamp_min(0).float()
