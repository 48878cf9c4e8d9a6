"""Pitch and voicing of a sound, column by column as `mel.log_mel` has them, by autocorrelation.

Only made speech is tracked here, which is as clean as can be; nothing better is needed.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from training.codec.mel import HOP, PER_FRAME, RATE, WINDOW

FRAME_RATE = RATE / (HOP * PER_FRAME)
"""Frames a second; a voice that makes `k` pulses in a frame has a pitch of `k` times this."""
_LOWEST, _HIGHEST = 62, 420
_BAND = 1400
"""Hertz up to which the sound is looked at: above, noise hides the periods."""
_VOICED = 0.55
"""Least correlation, of a period with the next, of a voiced column."""
_QUIET = 1e-4
_SHORTER = 0.08
"""How much the longest period is held back, so that no two periods are taken for one."""


def track(sound: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pulses in each frame [B, n] float32, 0 where it has no voice, and which of its columns are voiced
    [B, n, 8] bool, of float32 [B, n * 1920]."""
    hann = torch.hann_window(WINDOW)
    size = 2 * WINDOW
    pieces = F.pad(sound, (WINDOW - HOP, 0)).unfold(1, WINDOW, HOP) * hann
    hertz = torch.linspace(0, RATE / 2, WINDOW + 1)
    spectrum = torch.fft.rfft(pieces, n=size) * torch.sigmoid((_BAND - hertz) / 100)
    own = torch.fft.irfft(spectrum.abs().square(), n=size)[..., :WINDOW]
    of_window = torch.fft.irfft(torch.fft.rfft(hann, n=size).abs().square(), n=size)[:WINDOW]
    alike = own / (own[..., :1] + 1e-6) / (of_window / of_window[0]).clamp_min(0.05)
    first, last = RATE // _HIGHEST, RATE // _LOWEST
    some = alike[..., first:last]
    period = (some * (1 - _SHORTER * torch.linspace(0, 1, last - first))).argmax(-1)
    strength = some.gather(-1, period[..., None])[..., 0]
    energy = own[..., 0]
    voiced = (strength > _VOICED) & (energy > _QUIET * energy.amax(-1, keepdim=True))
    pulses = RATE / (period + first) / FRAME_RATE
    columns = torch.where(voiced, pulses, torch.nan).unflatten(1, (-1, PER_FRAME))
    return columns.nanmedian(-1).values.nan_to_num(0.0), voiced.unflatten(1, (-1, PER_FRAME))
