"""Files from outside: small ones that hold much, and ones that hold nothing."""

import io
import tracemalloc

import numpy as np
import pytest
import soundfile

from engine.sound_reader import UnreadableSound, read_mono


def written(sound: np.ndarray, rate: int, **form: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, rate, **form)
    return file.getvalue()


def test_a_small_file_that_holds_much_takes_little():
    """Ten seconds of eight silent channels at 192 kHz are 61 MB of numbers in a file of a few kB."""
    file = written(np.zeros((10 * 192_000, 8), "<i2"), 192_000, format="FLAC", subtype="PCM_16")
    assert len(file) < 100_000
    tracemalloc.start()
    try:
        mono = read_mono(file, 10.0)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert len(mono) == 10 * 24_000


def test_no_more_is_read_than_asked_for():
    file = written(np.zeros(60 * 8_000), 8_000, format="WAV", subtype="PCM_U8")
    assert len(read_mono(file, 2.0)) == 3 * 24_000


@pytest.mark.parametrize("rate", [8_000, 24_000, 44_100, 192_000])
def test_pieces_are_the_whole(rate):
    """A tone goes on through the seams between them."""
    tone = 0.5 * np.sin(np.arange(3 * rate) * 2 * np.pi * 440 / rate)
    mono = read_mono(written(tone, rate, format="WAV", subtype="FLOAT"), 10.0)
    wanted = 0.5 * np.sin(np.arange(3 * 24_000) * 2 * np.pi * 440 / 24_000)
    assert len(mono) == len(wanted)
    assert np.abs(mono - wanted)[1_000:-1_000].max() < 1e-3


@pytest.mark.parametrize(
    ("file", "why"),
    [
        (b"", "cannot be decoded"),
        (b"RIFF", "cannot be decoded"),
        (written(np.zeros(8_000), 2_000, format="WAV", subtype="PCM_16"), "1 channels at 2000 Hz"),
        (written(np.full(100, np.nan), 24_000, format="WAV", subtype="FLOAT"), "not numbers"),
    ],
)
def test_what_cannot_be_read_says_why(file, why):
    with pytest.raises(UnreadableSound, match=why):
        read_mono(file, 10.0)


def test_an_empty_file_is_no_sound_and_no_error():
    assert len(read_mono(written(np.zeros(0), 24_000, format="WAV", subtype="PCM_16"), 10.0)) == 0
