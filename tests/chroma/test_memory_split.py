"""What of a GPU's memory SGLang may take beside the Speaker."""

import pytest

from engine.api import EngineError
from engine.chroma.model import _open
from engine.sglang.memory import GIB, fraction, token, weights

STACK = _open("random:chroma-4b")[0].reasoner
SIZES = {
    "weights": weights(STACK, 2, tied=True),
    "token": token(STACK, 2),
    "context": 8192,
}


def test_sizes_are_the_published_model_s():
    assert SIZES["weights"] == pytest.approx(6.2e9, rel=0.02)
    assert weights(STACK, 2, tied=False) - SIZES["weights"] == STACK.vocab * STACK.hidden * 2
    assert SIZES["token"] == 36 * 1024


@pytest.mark.parametrize(("total", "free", "left"), [(80, 72, 4.8), (24, 18, 3.0)])
def test_the_rest_but_for_a_reserve_is_sglang_s(total, free, left):
    share = fraction(free * GIB, total * GIB, tp=1, **SIZES)
    assert free * (1 - share) == pytest.approx(left, rel=0.01)


def test_gpus_share_what_is_needed():
    with pytest.raises(EngineError, match="SGLang needs") as refused:
        fraction(8 * GIB, 16 * GIB, tp=1, **SIZES)
    assert refused.value.code == "gpu_memory"
    assert 0 < fraction(8 * GIB, 16 * GIB, tp=2, **SIZES) < 1
