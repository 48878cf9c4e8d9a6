"""Recorded blocks of the audio tower are heard as transformers' own forward hears the whole."""

import pytest
import torch
from golden import GOLDEN
from recording import Repeater

from engine.chroma.hearing import embedding_count
from engine.chroma.model import load_model


@pytest.fixture(scope="module")
def recorded():
    return load_model(
        GOLDEN, slots=1, top_k=50, device=torch.device("cpu"), dtype=torch.float32, recorder=Repeater()
    )


@pytest.mark.parametrize("frames", [10, 11, 12, 57, 199, 200, 201, 203, 400, 530])
def test_any_length_is_heard_as_it_is_unrecorded(chroma, recorded, frames):
    bins = chroma.hearing.extractor.feature_size
    mel = torch.randn(bins, frames, generator=torch.Generator().manual_seed(1))
    expected = chroma.hearing.encode(mel)
    hits = recorded.graphs["hearing"].counts.hits
    heard = recorded.hearing.encode(mel)
    assert heard.shape == expected.shape == (embedding_count(frames), expected.shape[1])
    torch.testing.assert_close(heard, expected, rtol=1e-4, atol=1e-5)
    assert recorded.graphs["hearing"].counts.hits > hits


def test_a_block_keeps_nothing_of_the_one_before(recorded):
    bins = recorded.hearing.extractor.feature_size
    loud, short = torch.randn(bins, 200), torch.zeros(bins, 40)
    first = recorded.hearing.encode(short)
    recorded.hearing.encode(loud)
    assert torch.equal(recorded.hearing.encode(short), first)
