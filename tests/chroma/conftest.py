"""The golden checkpoint, loaded once."""

import numpy as np
import pytest
import torch
from golden import CASES, GOLDEN

from engine.chroma.model import ChromaModel, load_model


@pytest.fixture(scope="session")
def chroma() -> ChromaModel:
    """Loaded once for all tests: 4 slots, float32, CPU."""
    return load_model(GOLDEN, slots=4, top_k=50, device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture(scope="session")
def cases() -> dict[str, dict[str, np.ndarray]]:
    return {name: dict(np.load(GOLDEN / f"{name}.npz")) for name in CASES}
