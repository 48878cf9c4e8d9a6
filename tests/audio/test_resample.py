"""Sound in pieces becomes the same sound as sound in one."""

import itertools

import numpy as np
import pytest
import soxr

from realtime.audio.resample import StreamResampler


def pieces(pcm: bytes, sizes: list[int]) -> list[bytes]:
    """The sound cut into so many samples at a time, over and over."""
    cut, start = [], 0
    for size in itertools.cycle(sizes):
        if start >= len(pcm):
            return cut
        cut.append(pcm[start : start + 2 * size])
        start += 2 * size
    raise AssertionError


def tone(hertz: float, seconds: float) -> bytes:
    t = np.arange(int(24_000 * seconds)) / 24_000
    return (0.5 * np.sin(2 * np.pi * hertz * t) * 32767).astype("<i2").tobytes()


@pytest.mark.parametrize("sizes", [[480], [1], [7, 1920, 333], [24_000]])
def test_pieces_equal_the_whole(sizes):
    pcm = np.random.default_rng(1).integers(-20_000, 20_000, 48_000, dtype=np.int16).tobytes()
    stream = StreamResampler(24_000, 16_000)
    joined = np.concatenate([stream.add(piece) for piece in pieces(pcm, sizes)])
    whole = soxr.resample(np.frombuffer(pcm, "<i2").astype(np.float32) / 32768, 24_000, 16_000)
    assert len(whole) - 1600 < len(joined) <= len(whole)
    np.testing.assert_allclose(joined, whole[: len(joined)], atol=1e-5)


def test_a_tone_in_pieces_has_no_clicks():
    """A click at a joint is broad: it would stand far above the floor beside the tone."""
    stream = StreamResampler(24_000, 16_000)
    sound = np.concatenate([stream.add(piece) for piece in pieces(tone(1000, 2.0), [480, 77])])
    # Away from both ends, where the tone itself begins and stops.
    middle = sound[2048 : 2048 + 16_384]
    spectrum = np.abs(np.fft.rfft(middle * np.blackman(len(middle))))
    hertz = np.fft.rfftfreq(len(middle), 1 / 16_000)
    beside = spectrum[np.abs(hertz - 1000) > 20]
    assert 20 * np.log10(beside.max() / spectrum.max()) < -75
