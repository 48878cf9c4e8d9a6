"""The golden checkpoint: a tiny Chroma in the published format with the reference's own answers."""

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.chroma.model import ChromaModel, load_model

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
CASES = ("short", "long", "text_ends_early")


@pytest.fixture(scope="session")
def chroma() -> ChromaModel:
    """Loaded once for all tests: 4 slots, float32, CPU."""
    return load_model(GOLDEN, slots=4, top_k=50, device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture(scope="session")
def cases() -> dict[str, dict[str, np.ndarray]]:
    return {name: dict(np.load(GOLDEN / f"{name}.npz")) for name in CASES}
