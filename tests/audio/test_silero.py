"""The detector itself: found without torch, right about speech, the same in a batch as alone."""

import subprocess
import sys

import numpy as np
import pytest
from hearing import alone, windows

from realtime.audio.silero import WINDOW, Silero, SileroState, model_path


@pytest.fixture(scope="module")
def model() -> Silero:
    return Silero()


def test_it_loads_without_torch():
    code = (
        "import sys, realtime.audio.vad as vad; vad.VadWorker().close();"
        "print({'torch', 'silero_vad'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"
    assert model_path().suffix == ".onnx"


def test_speech_is_heard_and_silence_is_not(model):
    heard = alone(model, windows("question"))
    assert np.mean(heard > 0.5) > 0.7
    assert alone(model, np.zeros((60, WINDOW), np.float32)).max() < 0.1
    noise = np.random.default_rng(3).normal(0, 0.01, (60, WINDOW)).astype(np.float32)
    assert alone(model, noise)[5:].max() < 0.5


def test_a_row_of_a_batch_equals_the_stream_alone(model):
    sounds = [windows(name) for name in ("question", "question2", "two_turns", "long")]
    steps = min(map(len, sounds))
    states = [SileroState() for _ in sounds]
    batched = np.stack(
        [model.hear(np.stack([sound[step] for sound in sounds]), states) for step in range(steps)], axis=1
    )
    for row, sound in zip(batched, sounds, strict=True):
        np.testing.assert_allclose(row, alone(model, sound[:steps]), atol=1e-5)


def test_streams_join_and_leave_a_batch_without_a_trace(model):
    """Only every third step has all streams in it."""
    sounds = {name: windows(name)[:48] for name in ("question", "question2", "long")}
    states = {name: SileroState() for name in sounds}
    heard = {name: [] for name in sounds}
    while any(len(heard[name]) < 48 for name in sounds):
        step = sum(map(len, heard.values()))
        names = [n for i, n in enumerate(sounds) if len(heard[n]) < 48 and (step % 3 == 0 or step % 3 != i)]
        batch = np.stack([sounds[name][len(heard[name])] for name in names])
        for name, probability in zip(names, model.hear(batch, [states[n] for n in names]), strict=True):
            heard[name].append(probability)
    for name, sound in sounds.items():
        np.testing.assert_allclose(heard[name], alone(model, sound), atol=1e-5)
