"""Voices on disk: what is kept, in which order, and what is refused and why."""

import logging
import os
import wave

import numpy as np
import pytest
import soundfile
from asking import hum

from engine import EngineError
from engine.voices import VoiceStore, default_folder
from engine.voices import sample as samples


@pytest.fixture
def store(tmp_path) -> VoiceStore:
    return VoiceStore(tmp_path / "voices")


def refusal(call, *args, **kwargs) -> EngineError:
    with pytest.raises(EngineError) as caught:
        call(*args, **kwargs)
    return caught.value


def write(path, sound, rate=24_000, **kwargs):
    soundfile.write(path, sound, rate, **kwargs)
    return path


def test_a_builtin_voice_ships(store):
    (voice,) = store.list()
    assert voice.builtin
    assert 3 <= voice.seconds <= 30
    assert voice.transcript
    assert "espeak-ng" in voice.consent
    info = soundfile.info(voice.sample)
    assert (info.samplerate, info.channels, info.subtype) == (24_000, 1, "PCM_16")
    sound = voice.load()
    assert sound.dtype == np.float32
    assert len(sound) == info.frames
    assert not store.folder.exists()  # Looking makes nothing.


def test_what_is_added_is_found_again(store, recording):
    added = store.add("ann-1", recording, "  some words \n", "Ann, on paper, 2026-10-01")
    found = VoiceStore(store.folder).get("ann-1")
    assert found == added
    assert found.transcript == "some words"
    assert found.consent == "Ann, on paper, 2026-10-01"
    assert (found.seconds, found.builtin) == (5.0, False)
    assert np.abs(found.load() - hum(5.0)).max() < 1e-4
    assert sorted(path.name for path in found.sample.parent.iterdir()) == [
        "consent.txt",
        "sample.wav",
        "transcript.txt",
    ]
    assert [path.name for path in store.folder.iterdir()] == ["ann-1"]


def test_any_rate_width_and_number_of_channels_becomes_mono_at_24_khz(store, tmp_path):
    stereo = np.stack([hum(4.0, 44_100), np.zeros(4 * 44_100, dtype=np.float32)], axis=1)
    voice = store.add("stereo", write(tmp_path / "stereo.flac", stereo, 44_100, subtype="PCM_24"), "words")
    info = soundfile.info(voice.sample)
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (24_000, 1, "PCM_16", 96_000)
    middle = voice.load()[24_000:72_000]
    assert np.abs(middle).max() == pytest.approx(0.15, abs=0.005)


def test_the_users_come_first_and_default_before_all(store, recording):
    for name in ("zoe", "default", "Bob"):
        store.add(name, recording, "words")
    assert [voice.name for voice in store.list()] == ["default", "Bob", "zoe", "espeak"]
    assert [voice.name for voice in store.ordered("espeak")] == ["espeak", "default", "Bob", "zoe"]
    assert refusal(store.ordered, "nobody").code == "unknown_voice"


def test_a_users_voice_hides_a_builtin_one_of_its_name(store, recording):
    store.add("espeak", recording, "words")
    assert [voice.builtin for voice in store.list()] == [False]
    store.remove("espeak")
    assert [voice.builtin for voice in store.list()] == [True]


def test_the_digest_follows_the_content(store, recording, tmp_path):
    one = store.add("one", recording, "words")
    assert store.add("same", recording, "words").digest == one.digest
    assert store.add("text", recording, "other words").digest != one.digest
    other = write(tmp_path / "other.wav", hum(5.0) * 0.5)
    assert store.add("sound", other, "words").digest != one.digest
    (one.sample.parent / "transcript.txt").write_text("edited")
    assert store.get("one").digest != one.digest


def test_a_missing_voice_is_answered_with_those_there_are(store, recording):
    store.add("ann", recording, "words")
    error = refusal(store.get, "bob")
    assert error.code == "unknown_voice"
    assert "ann, espeak" in error.message


@pytest.mark.parametrize("name", ["", "a b", "../up", "a/b", ".hidden", "é", "a\n", "x" * 65])
def test_names_that_are_no_names(store, recording, name):
    assert refusal(store.add, name, recording, "words").code == "voice_name_invalid"
    assert refusal(store.remove, name).code == "unknown_voice"


def test_remove_cannot_leave_the_folder(store, recording, tmp_path):
    store.add("ann", recording, "words")
    for name in ("..", ".", "ann/..", str(tmp_path)):
        assert refusal(store.remove, name).code == "unknown_voice"
    assert recording.exists()
    assert refusal(store.remove, "espeak").code == "voice_builtin"
    store.remove("ann")
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize("transcript", ["", " \n\t"])
def test_a_transcript_is_required(store, recording, transcript):
    assert refusal(store.add, "ann", recording, transcript).code == "voice_transcript_missing"


def test_a_name_is_taken_once(store, recording):
    before = store.add("ann", recording, "words")
    assert refusal(store.add, "ann", recording, "others").code == "voice_exists"
    assert store.get("ann") == before


@pytest.mark.parametrize(
    ("seconds", "code"), [(2.9, "voice_too_short"), (30.1, "voice_too_long"), (300, "voice_too_long")]
)
def test_length_has_limits(store, tmp_path, seconds, code):
    path = write(tmp_path / "sample.wav", hum(seconds))
    error = refusal(store.add, "ann", path, "words")
    assert error.code == code
    assert f"{seconds:.1f} s" in error.message
    assert not store.folder.exists()


@pytest.mark.parametrize("seconds", [3.0, 30.0])
def test_the_limits_themselves_are_allowed(store, tmp_path, seconds):
    assert store.add("ann", write(tmp_path / "sample.wav", hum(seconds)), "words").seconds == seconds


def test_silence_is_no_voice(store, tmp_path):
    quiet = write(tmp_path / "quiet.wav", hum(5.0) * 0.001)
    assert refusal(store.add, "ann", quiet, "words").code == "voice_silent"


def test_samples_that_are_not_numbers_are_no_voice(store, tmp_path):
    broken = hum(5.0)
    broken[100] = np.nan
    path = write(tmp_path / "nan.wav", broken, subtype="FLOAT")
    assert refusal(store.add, "ann", path, "words").code == "voice_not_readable"


def test_what_is_not_sound_is_told_so(store, tmp_path):
    text = tmp_path / "text.wav"
    text.write_text("not sound")
    for path in (text, tmp_path / "absent.wav", tmp_path):
        assert refusal(store.add, "ann", path, "words").code == "voice_not_readable"


def test_a_huge_file_is_refused_by_its_size_alone(store, tmp_path, monkeypatch):
    path = tmp_path / "huge.wav"
    with path.open("wb") as file:
        os.truncate(file.fileno(), samples.LARGEST + 1)
    monkeypatch.setattr(soundfile, "info", lambda *_: pytest.fail("it was opened"))
    assert refusal(store.add, "ann", path, "words").code == "voice_too_large"


def test_a_long_file_is_refused_by_its_header_alone(store, tmp_path, monkeypatch):
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(2 * 8_000 * 600))
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: pytest.fail("it was decoded"))
    assert refusal(store.add, "ann", path, "words").code == "voice_too_long"


def test_an_unlikely_rate_is_refused(store, tmp_path):
    path = write(tmp_path / "rate.wav", np.ones(40_000, dtype=np.float32), 1_000)
    assert refusal(store.add, "ann", path, "words").code == "voice_not_readable"


def test_broken_folders_are_skipped_with_a_warning(store, recording, caplog):
    store.add("good", recording, "words")
    for name in ("no-sample", "no-transcript", "bad sample", "torn"):
        (store.folder / name).mkdir()
    for name in ("no-transcript", "bad sample"):
        (store.folder / name / "sample.wav").write_bytes(recording.read_bytes())
    (store.folder / "torn" / "sample.wav").write_bytes(recording.read_bytes()[:20])
    (store.folder / ".adding-x").mkdir()
    (store.folder / "a-file").write_text("")
    with caplog.at_level(logging.WARNING):
        assert [voice.name for voice in store.list()] == ["good", "espeak"]
    assert len(caplog.records) == 4
    store.remove("no-sample")
    assert not (store.folder / "no-sample").exists()


def test_a_failed_add_leaves_nothing(store, recording, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(soundfile, "write", full)
    error = refusal(store.add, "ann", recording, "words")
    assert error.code == "voice_not_writable"
    assert "No space left" in error.message
    assert list(store.folder.iterdir()) == []


def test_where_voices_live(monkeypatch, tmp_path):
    monkeypatch.delenv("CHROMA_REALTIME_VOICES", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "chroma-realtime" / "voices"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_folder() == tmp_path / ".local" / "share" / "chroma-realtime" / "voices"
    monkeypatch.setenv("CHROMA_REALTIME_VOICES", "~/mine")
    assert VoiceStore().folder == tmp_path / "mine"


def test_a_header_that_claims_too_little_does_not_make_us_decode_it_all(store, tmp_path, monkeypatch):
    path = write(tmp_path / "liar.wav", hum(120.0))
    honest = soundfile.info(write(tmp_path / "honest.wav", hum(5.0)))
    monkeypatch.setattr(soundfile, "info", lambda *_: honest)
    asked = []
    read = soundfile.SoundFile.read

    def watched(self, frames=-1, **kwargs):
        asked.append(frames)
        return read(self, frames, **kwargs)

    monkeypatch.setattr(soundfile.SoundFile, "read", watched)
    assert refusal(store.add, "ann", path, "words").code == "voice_too_long"
    assert sum(asked) == 31 * 24_000
