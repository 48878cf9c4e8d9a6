"""One SGLang for all tests: it takes half a minute to start. Its cache is small and its prefill cut into
small chunks, so that whatever can happen to a request does."""

import asyncio
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.chroma.model import ChromaModel, load_model
from engine.chroma.reasoner import Failure, ReasonerPrompt, Thought

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "data" / "golden"
CASES = ("short", "long", "text_ends_early")
OPTIONS = (("max-total-tokens", "2100"), ("chunked-prefill-size", "64"))
PATIENCE = 300.0
# Helpers of tests elsewhere, which know nothing of SGLang.
sys.path.append(str(ROOT / "tests" / "server"))


@pytest.fixture(scope="session")
def chroma(tmp_path_factory) -> ChromaModel:
    """The golden checkpoint with its Reasoner in SGLang; 4 slots, float32."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        loaded = load_model(
            GOLDEN,
            slots=4,
            top_k=50,
            device=torch.device("cpu"),
            dtype=torch.float32,
            runner="sglang",
            sglang=OPTIONS,
        )
        yield loaded
        loaded.reasoner.close()


@pytest.fixture(scope="session")
def local() -> ChromaModel:
    """The same with its Reasoner in this process, to compare with."""
    return load_model(GOLDEN, slots=8, top_k=50, device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture(scope="session")
def cases() -> dict[str, dict[str, np.ndarray]]:
    return {name: dict(np.load(GOLDEN / f"{name}.npz")) for name in CASES}


class Reader:
    """Asks a Reasoner for answers, and takes all that comes."""

    def __init__(self, reasoner) -> None:
        self.reasoner = reasoner
        self.said: dict[str, list[Thought]] = {}
        self.most: dict[str, int | None] = {}
        self.failed: dict[str, Failure] = {}

    def start(self, name: str, prompt: ReasonerPrompt) -> None:
        self.said[name], self.most[name] = [], prompt.most
        self.reasoner.start(name, prompt)

    def stop(self, name: str) -> None:
        self.reasoner.stop(name)
        del self.said[name]

    @property
    def wanted(self) -> list[str]:
        return [
            name
            for name, said in self.said.items()
            if name not in self.failed and not (said and said[-1].pair.last) and len(said) != self.most[name]
        ]

    def read(self, until=None) -> None:
        """Take what comes until all answers have ended, or `until` is true."""
        deadline = time.monotonic() + PATIENCE
        while (not until()) if until else self.wanted:
            assert time.monotonic() < deadline, {name: len(said) for name, said in self.said.items()}
            came = self.reasoner.turn(self.wanted)
            for each in came:
                if isinstance(each, Failure):
                    self.failed[each.request_id] = each
                else:
                    self.said[each.request_id].append(each)
            if not came:
                time.sleep(0.002)

    def tokens(self, name: str) -> list[int]:
        return [thought.token for thought in self.said[name]]

    def rows(self, name: str) -> torch.Tensor:
        return torch.stack([thought.pair.rows for thought in self.said[name]])


def whole(reasoner, prompts: dict[str, ReasonerPrompt]) -> Reader:
    """All answers, asked for at once."""
    reader = Reader(reasoner)
    for name, prompt in prompts.items():
        reader.start(name, prompt)
    reader.read()
    for name in prompts:
        reasoner.stop(name)
    return reader


def same(one: Reader, other: Reader) -> None:
    """Both said the same, by the same hidden states."""
    assert one.said.keys() == other.said.keys()
    assert not one.failed
    assert not other.failed
    for name in one.said:
        assert one.tokens(name) == other.tokens(name), name
        torch.testing.assert_close(one.rows(name), other.rows(name), atol=1e-4, rtol=0)


def run(work, seconds: float = PATIENCE):
    return asyncio.run(asyncio.wait_for(work, seconds))
