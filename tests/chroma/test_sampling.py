"""Drawing codes: greedy, top-k, seeded, and each row by itself."""

import torch

from engine.chroma.sampling import Draw, choose
from engine.chroma.sampling import draw as make


def draw(
    rows: int, temperature: float, seed: int = 7, step: int = 0, top_k: int = 50, top_p: float = 1.0
) -> Draw:
    return make(
        torch.full((rows,), temperature),
        torch.full((rows,), top_p),
        torch.full((rows,), seed),
        torch.arange(rows) + step,
        8,
        top_k,
    )


def test_temperature_0_is_greedy():
    logits = torch.randn(16, 67, generator=torch.Generator().manual_seed(0))
    assert torch.equal(choose(logits, draw(16, 0.0), 3), logits.argmax(-1))


def test_draws_follow_the_softmax_of_the_top_k():
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0, 1.5, -3.0])
    rows = 40_000
    codes = choose(logits.expand(rows, -1), draw(rows, 0.8, top_k=4), 0)
    found = torch.bincount(codes, minlength=6) / rows
    kept = torch.tensor([True, True, True, False, True, False])
    expected = torch.where(kept, logits / 0.8, -torch.inf).softmax(-1)
    assert found[~kept].sum() == 0
    assert (found - expected).abs().max() < 0.01


def test_top_p_leaves_the_likeliest_that_together_reach_it():
    likelihood = torch.tensor([0.05, 0.4, 0.25, 0.3])
    codes = choose(likelihood.log().expand(20_000, -1), draw(20_000, 1.0, top_p=0.6), 0)
    found = torch.bincount(codes, minlength=4) / len(codes)
    assert (found - torch.tensor([0, 0.4, 0, 0.3]) / 0.7).abs().max() < 0.01
    assert (choose(likelihood.log().expand(100, -1), draw(100, 1.0, top_p=0.0), 0) == 1).all()


def test_a_row_is_the_same_alone_and_in_any_batch():
    logits = torch.randn(8, 67, generator=torch.Generator().manual_seed(1))
    seeds = torch.arange(8) * 2**40 + 3
    every = make(torch.full((8,), 0.9), torch.ones(8), seeds, torch.arange(8), 8, 50)
    together = choose(logits, every, 2)
    for row in range(8):
        step = torch.tensor([row])
        alone = make(every.temperature[row, None], torch.ones(1), seeds[row, None], step, 8, 50)
        assert choose(logits[row, None], alone, 2).item() == together[row]


def test_seed_step_and_codebook_each_change_the_draw():
    logits = torch.zeros(64, 67)
    base = choose(logits, draw(64, 1.0), 0)
    assert torch.equal(base, choose(logits, draw(64, 1.0), 0))
    for other in (
        choose(logits, draw(64, 1.0, seed=8), 0),
        choose(logits, draw(64, 1.0, seed=7 + 2**35), 0),
        choose(logits, draw(64, 1.0, step=1000), 0),
        choose(logits, draw(64, 1.0), 1),
    ):
        assert (base != other).float().mean() > 0.8
