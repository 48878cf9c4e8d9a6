"""The vocoder that nano's codec learns from: what it is given is heard in its sound, frame by frame."""

import pytest
import torch

from training.codec.mel import BINS, PER_FRAME, RATE, filters, log_mel
from training.codec.pitch import FRAME_RATE, track
from training.codec.vocoder import LAG, Vocoder
from training.shapes import SAMPLES_PER_FRAME

FRAMES = 12
FLAT = torch.full((1, FRAMES, PER_FRAME * BINS), -4.0)


def made(pulses: int, *, voiced: bool, mel: torch.Tensor = FLAT) -> torch.Tensor:
    beat = torch.full(mel.shape[:2], pulses)
    return Vocoder()(mel, beat, torch.full((*mel.shape[:2], PER_FRAME), voiced))


@pytest.mark.parametrize("pulses", [6, 10, 17])
def test_a_voice_has_the_pitch_it_was_given(pulses):
    heard, voiced = track(made(pulses, voiced=True))
    assert voiced[0, 3:-1].all()
    assert heard[0, 3:-1] == pytest.approx(pulses, abs=0.25)


def test_pulses_begin_anew_with_each_frame():
    """To the sample: what makes the sound a function of the frames."""
    sound = made(9, voiced=True)[0].view(FRAMES, SAMPLES_PER_FRAME)
    assert torch.allclose(sound[5], sound[6], atol=1e-4)


def test_noise_has_no_pitch():
    _, voiced = track(made(10, voiced=False))
    assert voiced[0, 3:-1].float().mean() < 0.2


@pytest.mark.parametrize("voiced", [True, False])
def test_the_spectrum_is_the_one_that_was_given(voiced):
    """A peak at 1 kHz, 20 dB above the rest, comes back within 3 dB, late by `LAG`."""
    bank = filters(BINS, 1024)
    centre = int(bank[:, :].argmax(0).float().sub(1000 / RATE * 1024).abs().argmin())
    mel = FLAT.clone().view(1, FRAMES, PER_FRAME, BINS)
    mel[..., centre - 2 : centre + 3] += 2.3
    sound = made(5, voiced=voiced, mel=mel.flatten(2))
    back = log_mel(torch.nn.functional.pad(sound[:, LAG:], (0, LAG)), bank).view(FRAMES, PER_FRAME, BINS)
    average = back[4:-2].exp().mean((0, 1)).log()
    raised = average[centre] - average[centre + 8 : centre + 14].mean()
    assert float(raised) == pytest.approx(2.3, abs=0.35)
    assert float(average[centre]) == pytest.approx(-1.7, abs=0.35)


def test_a_column_waits_for_nothing_that_comes_later():
    """The sound of a frame depends on it and on those before it alone."""
    mel = FLAT + torch.randn(FLAT.shape, generator=torch.Generator().manual_seed(0))
    other = mel.clone()
    other[:, 7:] += 1
    same = slice(0, 7 * SAMPLES_PER_FRAME - int(RATE / FRAME_RATE / PER_FRAME))
    first, second = made(8, voiced=True, mel=mel), made(8, voiced=True, mel=other)
    assert torch.equal(first[:, same], second[:, same])
    assert not torch.allclose(first, second)
