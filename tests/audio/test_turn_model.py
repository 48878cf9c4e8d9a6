"""The end-of-turn model: its features are Whisper's, its verdicts those of its own package's example."""

import numpy as np
import pytest
import soundfile
from transformers import WhisperFeatureExtractor

from realtime.audio import turn_model
from realtime.audio.turn_model import TurnModel


@pytest.fixture(scope="module")
def model():
    try:
        return TurnModel()
    except FileNotFoundError as error:
        pytest.skip(str(error))


def speech(name):
    sound, _ = soundfile.read(f"tests/data/speech/{name}.wav", dtype="int16")
    return sound


def test_features_are_whispers(model):
    sound = np.pad(speech("question").astype(np.float32)[::2][:100_000] / 32768, (28_000, 0))[:128_000]
    sound = np.pad(sound, (128_000 - len(sound), 0))
    extractor = WhisperFeatureExtractor(feature_size=80, chunk_length=8)
    expected = extractor(sound, sampling_rate=16_000, do_normalize=True, return_tensors="np").input_features[
        0
    ]
    assert np.abs(model.features(sound) - expected).max() < 1e-3


def test_a_verdict_depends_on_the_end_of_the_turn_alone(model):
    question = speech("long")
    padded = np.concatenate((np.zeros(8 * 24_000, np.int16), question))
    assert model.judge(padded.tobytes()) == pytest.approx(model.judge(question.tobytes()), abs=0.02)
    assert model.judge(question[:40_000].tobytes()) != pytest.approx(
        model.judge(question.tobytes()), abs=1e-4
    )


@pytest.mark.parametrize("seconds", [0.0, 0.1, 8, 20])
def test_any_length_is_judged(model, seconds):
    assert 0 <= model.judge(bytes(int(seconds * 24_000) * 2)) <= 1


def test_without_its_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(turn_model.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(FileNotFoundError, match="pipecat-ai"):
        TurnModel()
