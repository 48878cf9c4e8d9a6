"""Voices that come with a checkpoint: which are offered, and in which order."""

import shutil

import pytest
import soundfile

from engine import EngineError
from engine.models import ECHO, NANO
from engine.voices import VoiceStore


@pytest.fixture
def checkpoint(tmp_path, recording):
    """A folder that brings the voices a and b, b by default."""
    folder = tmp_path / "checkpoint"
    for name in ("a", "b"):
        voice = folder / "voices" / name
        voice.mkdir(parents=True)
        shutil.copy(recording, voice / "sample.wav")
        (voice / "transcript.txt").write_text("words")
    (folder / "voices" / "default.txt").write_text("b\n")
    return folder


@pytest.fixture
def store(tmp_path, checkpoint):
    return VoiceStore(tmp_path / "own", str(checkpoint))


def names(store):
    return [voice.name for voice in store.list()]


def test_nano_brings_three_voices_and_speaks_as_river(tmp_path):
    voices = VoiceStore(tmp_path, NANO).list()
    assert [voice.name for voice in voices] == ["river", "ember", "wren"]
    for voice in voices:
        assert voice.builtin
        assert 3 <= voice.seconds <= 5
        assert "espeak-ng" in voice.consent
        info = soundfile.info(voice.sample)
        assert (info.samplerate, info.channels, info.subtype) == (24_000, 1, "PCM_16")


@pytest.mark.parametrize("model", [None, ECHO, "someone/something"])
def test_without_voices_of_its_own_a_model_has_the_builtin_one(tmp_path, model):
    assert names(VoiceStore(tmp_path, model)) == ["espeak"]


def test_a_folder_without_voices_has_the_builtin_one(tmp_path):
    assert names(VoiceStore(tmp_path / "own", str(tmp_path))) == ["espeak"]


def test_a_models_voices_come_before_the_users_but_for_the_users_default(store, recording):
    assert names(store) == ["b", "a"]
    store.add("ann", recording, "words")
    assert names(store) == ["b", "a", "ann"]
    store.add("default", recording, "words")
    assert names(store) == ["default", "b", "a", "ann"]
    assert [voice.name for voice in store.ordered("a")] == ["a", "default", "b", "ann"]


def test_without_a_default_they_come_by_name(store, checkpoint):
    (checkpoint / "voices" / "default.txt").unlink()
    assert names(store) == ["a", "b"]


def test_a_users_voice_hides_one_of_its_name_and_neither_is_lost(store, recording):
    store.add("b", recording, "other words")
    assert [(voice.name, voice.builtin) for voice in store.list()] == [("a", True), ("b", False)]
    store.remove("b")
    assert names(store) == ["b", "a"]
    with pytest.raises(EngineError) as caught:
        store.remove("b")
    assert caught.value.code == "voice_builtin"
