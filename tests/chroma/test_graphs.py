"""Recorded steps: the same numbers as steps that run, in the same memory, and nothing in them that a CUDA
graph could not hold."""

import pytest
import torch
from golden import CASES, GOLDEN
from recording import Repeater

from engine.chroma import parity
from engine.chroma.frame_step import FrameInputs
from engine.chroma.graphs import Graphs, fit, rungs
from engine.chroma.model import load_model


@pytest.fixture(scope="module")
def repeater():
    return Repeater()


@pytest.fixture(scope="module")
def recorded(repeater):
    """The golden model with all its steps recorded."""
    return load_model(
        GOLDEN,
        slots=4,
        top_k=50,
        device=torch.device("cpu"),
        dtype=torch.float32,
        recorder=repeater,
    )


@pytest.mark.parametrize("name", CASES)
def test_recorded_steps_give_the_references_frames(recorded, cases, name):
    before = recorded.speaker.graphs.counts.hits
    (answer,) = parity.play(recorded, [parity.job(recorded, name, cases[name])])
    assert not any(parity.mismatches(recorded, cases[name], answer).values())
    assert recorded.speaker.graphs.counts.hits - before >= len(cases[name]["codes"])
    assert recorded.speaker.graphs.counts.misses == 0
    assert recorded.speaker.graphs.counts.rate == 1.0
    assert "100.0 % of" in str(recorded.graphs["Speaker"].counts)


def test_padding_touches_no_answer(recorded, cases):
    """Three answers at once take a step of four rows."""
    jobs = [parity.job(recorded, name, cases[name]) for name in CASES]
    for name, answer in zip(CASES, parity.play(recorded, jobs), strict=True):
        assert not any(parity.mismatches(recorded, cases[name], answer).values())


def test_the_reasoners_steps_are_recorded_too(recorded, cases, repeater):
    before, hits = repeater.repeated, recorded.reasoner.graphs.counts.hits
    parity.play(recorded, [parity.job(recorded, "short", cases["short"])])
    assert recorded.reasoner.graphs.counts.hits > hits
    assert repeater.repeated > before
    assert recorded.reasoner.graphs.counts.misses == 0


def test_a_shape_that_was_not_recorded_runs_and_is_counted():
    graphs = Graphs(Repeater())
    one = torch.zeros(1)
    graphs.record("one", lambda: (one + 1,))
    assert graphs.run("one", lambda: None)[0].item() == 1
    one += 5
    assert graphs.run("one", lambda: None)[0].item() == 6
    assert graphs.run("other", lambda: "ran") == "ran"
    assert (graphs.counts.hits, graphs.counts.misses, graphs.counts.recorded) == (2, 1, 1)


def test_without_a_recorder_nothing_is_counted_as_missed():
    graphs = Graphs(None)
    assert graphs.run("one", lambda: "ran") == "ran"
    assert graphs.counts.misses == 0
    with pytest.raises(RuntimeError, match="off"):
        graphs.record("one", lambda: None)


def test_sizes():
    assert rungs(1) == (1,)
    assert rungs(2) == (1, 2)
    assert rungs(16) == (1, 2, 4, 8, 16)
    assert rungs(24) == (1, 2, 4, 8, 16, 24)
    assert rungs(9) == (1, 2, 4, 9), "8 is nearly as many"
    assert [fit((1, 2, 4), size) for size in (1, 2, 3, 4)] == [1, 2, 4, 4]
    with pytest.raises(ValueError, match="5 is more than the largest"):
        fit((1, 2, 4), 5)


NUMBERS = FrameInputs.of(2, 4, torch.float32, torch.device("cpu"))


@pytest.mark.parametrize(
    "step",
    [
        lambda: (NUMBERS.slot.max().item(),),
        lambda: (NUMBERS.floats[NUMBERS.floats > 0],),
        lambda: (NUMBERS.floats + torch.tensor([1.0]),),
    ],
    ids=["a value for the host", "a mask", "a value from the host"],
)
def test_what_cannot_be_captured_is_found(step):
    with pytest.raises(AssertionError, match="cannot be captured"):
        Repeater()(step)
