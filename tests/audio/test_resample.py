"""Sound in windows becomes the same sound as sound in one."""

import numpy as np
import pytest
import soxr

from realtime.audio.resample import MARGIN, WINDOW, WindowResampler


@pytest.fixture(scope="module")
def resampler() -> WindowResampler:
    return WindowResampler()


def windows(pcm: np.ndarray) -> list[bytes]:
    """The whole windows of a sound that begins out of silence, with their margins."""
    sound = np.concatenate((np.zeros(MARGIN, np.int16), pcm))
    begins = range(0, len(sound) - WINDOW - 2 * MARGIN + 1, WINDOW)
    return [sound[begin : begin + WINDOW + 2 * MARGIN].tobytes() for begin in begins]


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-20_000, 20_000, 48_000, dtype=np.int16)


def test_windows_joined_are_what_soxr_makes_of_the_whole(resampler):
    pcm = noise(1)
    joined = np.concatenate([resampler.windows([window])[0] for window in windows(pcm)])
    whole = soxr.resample(pcm.astype(np.float32) / 32768, 24_000, 16_000)
    assert len(whole) - 2 * 512 < len(joined) <= len(whole)
    np.testing.assert_allclose(joined, whole[: len(joined)], atol=2e-6)


def test_who_shares_a_batch_changes_nothing(resampler):
    sounds = [windows(noise(seed)) for seed in range(5)]
    together = [resampler.windows(batch) for batch in zip(*sounds, strict=True)]
    for row, sound in enumerate(sounds):
        alone = [resampler.windows([window])[0] for window in sound]
        np.testing.assert_allclose([batch[row] for batch in together], alone, atol=1e-6)


def test_a_tone_in_windows_has_no_clicks(resampler):
    """A click at a joint is broad: it would stand far above the floor beside the tone."""
    t = np.arange(48_000) / 24_000
    pcm = (0.5 * np.sin(2 * np.pi * 1000 * t) * 32767).astype(np.int16)
    sound = np.concatenate(list(resampler.windows(windows(pcm))))
    # Away from both ends, where the tone itself begins and stops.
    middle = sound[2048 : 2048 + 16_384]
    spectrum = np.abs(np.fft.rfft(middle * np.blackman(len(middle))))
    hertz = np.fft.rfftfreq(len(middle), 1 / 16_000)
    beside = spectrum[np.abs(hertz - 1000) > 20]
    assert 20 * np.log10(beside.max() / spectrum.max()) < -75
