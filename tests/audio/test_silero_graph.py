"""The graph that runs is the one that is shipped, written in another way."""

import numpy as np
import onnxruntime
import pytest
from hearing import windows

from realtime.audio.onnx_file import Graph, read_weights
from realtime.audio.silero import SAMPLE_RATE, Silero, SileroState, model_path


def options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return options


def shipped(sound: np.ndarray) -> np.ndarray:
    """Probabilities of one stream by the file as it is."""
    session = onnxruntime.InferenceSession(model_path(), options())
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros((1, 64), np.float32)
    heard = []
    for window in sound:
        joined = np.concatenate((context, window[None]), axis=1)
        inputs = {"input": joined, "state": state, "sr": np.array(SAMPLE_RATE, np.int64)}
        probability, state = session.run(None, inputs)
        context = joined[:, -64:]
        heard.append(probability[0, 0])
    return np.array(heard)


@pytest.mark.parametrize("name", ["question", "question2", "long", "two_turns"])
def test_it_says_what_the_shipped_model_says(name):
    sound, model, state = windows(name), Silero(), SileroState()
    heard = np.array([model.hear(window[None], [state])[0] for window in sound])
    np.testing.assert_allclose(heard, shipped(sound), atol=5e-5)


def test_weights_are_read_by_name():
    weights = read_weights(model_path().read_bytes())
    assert weights["model.encoder.0.reparam_conv.weight"].shape == (128, 129, 3)
    assert all(value.dtype == np.float32 for value in weights.values())


def test_a_graph_that_is_put_together_runs():
    graph = Graph()
    graph.input("x", ("rows", 300))
    twice = graph.constant(np.full((1, 300), 2, np.float32))
    (product,) = graph.add("Mul", "x", twice)
    (mirrored,) = graph.add("Pad", product, graph.constant(np.array([0, 0, 0, 1])), mode="reflect")
    (sums,) = graph.add("Concat", mirrored, mirrored, axis=1)
    graph.output(sums, "y")
    session = onnxruntime.InferenceSession(graph.model(), options())
    x = np.random.default_rng(1).normal(size=(3, 300)).astype(np.float32)
    (y,) = session.run(["y"], {"x": x})
    expected = np.concatenate((2 * x, 2 * x[:, -2:-1]), axis=1)
    np.testing.assert_array_equal(y, np.concatenate((expected, expected), axis=1))
