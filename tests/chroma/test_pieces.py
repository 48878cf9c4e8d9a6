"""A prompt that is read in recorded pieces is read as it is at once."""

import pytest
import torch
from golden import GOLDEN
from recording import Repeater

from engine.chroma.model import load_model
from engine.chroma.pieces import SIZES
from engine.chroma.reasoner import ReasonerPrompt

CONTEXT = 700


def load(recorder=None):
    return load_model(
        GOLDEN,
        slots=2,
        top_k=50,
        device=torch.device("cpu"),
        dtype=torch.float32,
        context=CONTEXT,
        recorder=recorder,
    ).reasoner


@pytest.fixture(scope="module")
def plain():
    return load()


@pytest.fixture(scope="module")
def recorded():
    return load(Repeater())


def ids(count, seed=1):
    return torch.randint(3, 60, (count,), generator=torch.Generator().manual_seed(seed)).tolist()


def first_pair(reasoner, prompt):
    """The token and the pair that follow a prompt, and how much of it was read before."""
    reasoner.start("a", prompt)
    (thought,) = reasoner.turn(["a"])
    reasoner.stop("a")
    return thought.token, thought.pair.rows, thought.kept


@pytest.mark.parametrize("count", [1, 15, 16, 17, 64, 65, 256, 257, 400, CONTEXT - 1])
def test_any_length(plain, recorded, count):
    """Also one that fills the context but for one: the padding of its last piece has no room behind it."""
    prompt = ReasonerPrompt(ids(count, seed=count), None, -1)
    token, rows, _ = first_pair(plain, prompt)
    got, same, _ = first_pair(recorded, prompt)
    assert got == token
    torch.testing.assert_close(same, rows, rtol=1e-4, atol=1e-5)
    assert recorded.graphs.counts.misses == 0


def test_what_was_read_is_not_read_again(plain, recorded):
    long = ids(300, seed=9)
    for count in (200, 300):
        prompt = ReasonerPrompt(long[:count], None, -1)
        _, rows, kept = first_pair(recorded, prompt)
        torch.testing.assert_close(rows, first_pair(plain, prompt)[1], rtol=1e-4, atol=1e-5)
    # The last token is read in any case: what follows it is asked for.
    assert kept == 200


def test_sizes_ascend():
    """The smallest that holds a rest is looked for from the first on."""
    assert list(SIZES) == sorted(SIZES)
