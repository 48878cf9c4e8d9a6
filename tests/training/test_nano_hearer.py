"""What the tower is taught to tell of a sound, and when."""

import numpy as np
import pytest
import torch

from engine.chroma.hearing import embedding_count
from training.reasoner.hearing import listening_loss, placed
from training.reasoner.sound import PER_EMBEDDING, Heard, Hearer

BLANK = 99
SECOND = 16_000


@pytest.fixture(scope="module")
def sound():
    return np.random.default_rng(0).normal(0, 0.1, 2 * SECOND).astype(np.float32)


@pytest.mark.parametrize("clean", [True, False])
def test_each_word_is_told_where_it_ends(sound, clean):
    hearer = Hearer(BLANK, seed=1, clean=clean)
    for _ in range(5):
        heard = hearer(sound, [8_000, 16_000, 32_000], [5, 6, 7])
        assert len(heard.targets) == embedding_count(heard.mel.shape[1])
        at = torch.nonzero(heard.targets != BLANK)[:, 0]
        assert heard.targets[at].tolist() == [5, 6, 7]
        # Silence before it moves all of them alike, by up to half a second.
        assert abs(int(at[1] - at[0]) - 8_000 / PER_EMBEDDING) <= 1
        assert abs(int(at[2] - at[1]) - 16_000 / PER_EMBEDDING) <= 1
        assert 8_000 <= (int(at[0]) + 1) * PER_EMBEDDING <= 8_000 + 0.5 * SECOND + PER_EMBEDDING


def test_words_that_end_together_are_told_one_after_another(sound):
    targets = Hearer(BLANK, seed=2, clean=True)(sound, [16_000] * 3, [5, 6, 7]).targets
    at = torch.nonzero(targets != BLANK)[:, 0].tolist()
    assert at == list(range(at[0], at[0] + 3))


def test_no_more_than_eight_seconds_are_heard():
    sound = np.full(10 * SECOND, 0.1, dtype=np.float32)
    heard = Hearer(BLANK, seed=3)(sound, [SECOND, 10 * SECOND], [5, 6])
    assert len(heard.targets) == 200
    assert heard.targets[heard.targets != BLANK].tolist() == [5]


def test_a_tower_that_tells_every_word_has_nothing_to_learn():
    table = torch.randn(120, 64)
    targets = torch.tensor([BLANK, BLANK, 5, BLANK, 7])
    loss, right = listening_loss(table[targets], targets, table, BLANK)
    assert (right, float(loss) < 0.01) == (1.0, True)
    worse, wrong = listening_loss(table[targets.flip(0)], targets, table, BLANK)
    assert wrong == 0.0 or wrong == 0.5
    assert worse > loss


def _heard(*targets: int) -> Heard:
    return Heard(torch.zeros(128, 4 * len(targets)), torch.tensor(targets))


def test_a_word_is_looked_for_where_the_tower_tells_it_best():
    table = torch.randn(120, 64)
    told = [[BLANK, BLANK, BLANK, 5, BLANK, 7], [7, BLANK, BLANK, BLANK]]
    out = table[torch.tensor(told[0] + told[1])]
    ends = [_heard(BLANK, BLANK, 5, BLANK, BLANK, 7), _heard(BLANK, 7, BLANK, BLANK)]
    assert placed(out, ends, table, BLANK).tolist() == told[0] + told[1]


def test_a_word_stays_near_its_end_within_its_sound_and_behind_the_one_before():
    table = torch.randn(120, 64)
    # Told four embeddings early; in the other sound; and the second word before the first.
    far = [_heard(*[BLANK] * 6, 5, BLANK, BLANK)]
    assert int((placed(table[[BLANK, BLANK, 5] + [BLANK] * 6], far, table, BLANK) == 5).nonzero()) in range(
        4, 9
    )
    other = [_heard(BLANK, BLANK, 5), _heard(BLANK, BLANK, BLANK)]
    moved = placed(table[[BLANK, BLANK, BLANK, 5, BLANK, BLANK]], other, table, BLANK)
    assert 5 in moved[:3].tolist()
    turned = placed(table[[BLANK, 7, 5, BLANK]], [_heard(BLANK, 5, 7, BLANK)], table, BLANK).tolist()
    assert [token for token in turned if token != BLANK] == [5, 7]


def test_words_that_crowd_together_all_find_a_place():
    table = torch.randn(120, 64)
    moved = placed(table[[BLANK] * 5], [_heard(BLANK, BLANK, 5, 6, 7)], table, BLANK).tolist()
    assert [token for token in moved if token != BLANK] == [5, 6, 7]
