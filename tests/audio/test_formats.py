"""Sound on the wire: exact tables, no click wherever it is cut, the pitch kept at any speed."""

import warnings

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from realtime.audio import g711
from realtime.audio.formats import SoundDecoder, SoundEncoder, bytes_per_ms

LAWS = {"audio/pcmu": "mu-law", "audio/pcma": "A-law"}


def tone(hertz=1000, seconds=2.0, level=0.5):
    time = np.arange(int(seconds * 24_000)) / 24_000
    return (level * 32767 * np.sin(2 * np.pi * hertz * time)).astype("<i2").tobytes()


def run(coder, data, size):
    return b"".join(coder.add(data[at : at + size]) for at in range(0, len(data), size)) + coder.flush()


def spectrum(samples, rate):
    """Hz and dB below the strongest, of the middle of a sound."""
    middle = samples[len(samples) // 4 : len(samples) // 4 + rate // 2].astype(float)
    power = np.abs(np.fft.rfft(middle * np.blackman(len(middle)))) ** 2
    return np.fft.rfftfreq(len(middle), 1 / rate), 10 * np.log10(power / power.max() + 1e-20)


def test_the_tables_are_those_of_itu():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        audioop = pytest.importorskip("audioop")
    samples, codes = np.arange(-32768, 32768).astype("<i2"), bytes(range(256))
    assert g711.encode(samples, "mu-law") == audioop.lin2ulaw(samples.tobytes(), 2)
    assert g711.encode(samples, "A-law") == audioop.lin2alaw(samples.tobytes(), 2)
    assert g711.decode(codes, "mu-law").tobytes() == audioop.ulaw2lin(codes, 2)
    assert g711.decode(codes, "A-law").tobytes() == audioop.alaw2lin(codes, 2)


def test_known_codes():
    assert g711.encode(np.array([0, 32767, -32768], np.int16), "mu-law") == bytes([0xFF, 0x80, 0x00])
    assert g711.encode(np.array([0, 32767, -32768], np.int16), "A-law") == bytes([0xD5, 0xAA, 0x2A])


@pytest.mark.parametrize("kind", LAWS)
@pytest.mark.parametrize("size", [2, 38, 1920, 7002])
def test_encoding_is_the_same_however_it_is_cut(kind, size):
    whole = run(SoundEncoder(kind), tone(), 10**9)
    assert run(SoundEncoder(kind), tone(), size) == whole
    assert len(whole) == 2000 * bytes_per_ms(kind)


@pytest.mark.parametrize("kind", LAWS)
@pytest.mark.parametrize("size", [1, 33, 160, 1000])
def test_decoding_is_the_same_however_it_is_cut(kind, size):
    data = run(SoundEncoder(kind), tone(), 10**9)
    whole = run(SoundDecoder(kind), data, 10**9)
    assert run(SoundDecoder(kind), data, size) == whole
    assert len(whole) == len(tone())


@pytest.mark.parametrize("kind", LAWS)
def test_the_spectrum_holds_the_tone_and_the_noise_of_g711_alone(kind):
    # No fraction of the sampling rate, so that what quantisation adds is noise and no tones of its own.
    sent = run(SoundEncoder(kind), tone(1013.7), 642)
    heard = np.frombuffer(run(SoundDecoder(kind), sent, 163), "<i2")
    hertz, level = spectrum(heard, 24_000)
    assert abs(hertz[level.argmax()] - 1013.7) < 3
    assert level[np.abs(hertz - 1013.7) > 20].max() < -38, "quantisation, no clicks at the cuts"
    assert level[hertz > 4300].max() < -70, "no image above the band"


def test_what_is_above_the_band_does_not_fold_over():
    sent = run(SoundEncoder("audio/pcmu"), tone(6000), 642)
    heard = g711.decode(sent, "mu-law")[1000:-1000].astype(float)
    assert np.sqrt(np.mean(heard**2)) < 0.5 * 32767 / 1000


@pytest.mark.parametrize("kind", LAWS)
def test_full_scale_does_not_wrap(kind):
    square = np.repeat(np.array([32767, -32768] * 40, "<i2"), 300).tobytes()
    heard = np.frombuffer(run(SoundDecoder(kind), run(SoundEncoder(kind), square, 480), 160), "<i2")
    assert np.corrcoef(heard.astype(float), np.frombuffer(square, "<i2").astype(float))[0, 1] > 0.98


@pytest.mark.parametrize("kind", LAWS)
def test_speech_goes_there_and_back(kind):
    sound, _ = soundfile.read("tests/data/speech/question.wav", dtype="int16")
    heard = np.frombuffer(run(SoundDecoder(kind), run(SoundEncoder(kind), sound.tobytes(), 3840), 160), "<i2")
    count = min(len(heard), len(sound))
    assert abs(len(heard) - len(sound)) <= 3
    assert np.corrcoef(heard[:count].astype(float), sound[:count].astype(float))[0, 1] > 0.95


@given(st.binary(max_size=50), st.lists(st.integers(0, 50), max_size=6))
def test_pcm_passes_whole_samples(data, cuts):
    decoder, cuts = SoundDecoder("audio/pcm"), sorted(min(cut, len(data)) for cut in cuts)
    pieces = [data[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    passed = [decoder.add(piece) for piece in pieces]
    assert all(len(piece) % 2 == 0 for piece in passed)
    assert b"".join(passed) == data[: len(data) & ~1]
    assert decoder.flush() == b""
    assert decoder.add(b"ab") == b"ab", "half a sample was dropped"


@pytest.mark.parametrize("speed", [0.25, 0.5, 0.9, 1.1, 1.5])
@pytest.mark.parametrize("hertz", [110, 440])
def test_another_speed_keeps_the_pitch_and_has_no_clicks(speed, hertz):
    played = np.frombuffer(run(SoundEncoder("audio/pcm", speed), tone(hertz), 3840), "<i2")
    assert abs(len(played) - 48_000 / speed) <= 1
    found, level = spectrum(played, 24_000)
    assert abs(found[level.argmax()] - hertz) < max(3, hertz / 100)
    steps = np.abs(np.diff(played[:-3000].astype(float)))
    assert steps.max() < 1.1 * 0.5 * 32767 * 2 * np.pi * hertz / 24_000, "no step but the tone's own"


def test_speed_is_the_same_however_it_is_cut():
    sound, _ = soundfile.read("tests/data/speech/question.wav", dtype="int16")
    whole = run(SoundEncoder("audio/pcm", 1.3), sound.tobytes(), 10**9)
    assert run(SoundEncoder("audio/pcm", 1.3), sound.tobytes(), 1922) == whole


def test_an_encoder_begins_anew_after_a_flush():
    encoder = SoundEncoder("audio/pcmu", 0.5)
    assert run(encoder, tone(), 3840) == run(encoder, tone(), 3840)
