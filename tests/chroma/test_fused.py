"""Functions that a GPU would run compiled give the reference's frames; here they are compiled for the CPU."""

import importlib.util
import shutil

import pytest
import torch
from golden import GOLDEN

from engine.api import EngineError
from engine.chroma import attention, fused, parity
from engine.chroma.model import load_model


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles for a CPU with g++")
def test_compiled_functions_give_the_references_frames(cases, monkeypatch):
    for module in (fused, attention):
        monkeypatch.setattr(module, "wanted", lambda tensor: True)
    compiled = []
    compile_one = fused._compiled

    def note(function):
        compiled.append(function.__name__)
        return compile_one(function)

    monkeypatch.setattr(fused, "_compiled", note)
    chroma = load_model(GOLDEN, slots=2, top_k=50, device=torch.device("cpu"), dtype=torch.float32)
    (answer,) = parity.play(chroma, [parity.job(chroma, "short", cases["short"])])
    assert not any(parity.mismatches(chroma, cases["short"], answer).values())
    assert {"_add_norm", "_attend_to_few", "_write_keys", "_pick", "_continued"} <= {*compiled}


def test_nothing_is_compiled_unless_it_is_wanted(monkeypatch):
    monkeypatch.setattr(fused, "_compiled", lambda function: pytest.fail("compiled"))
    assert fused.fused(lambda x: x + 1)(torch.zeros(1)).item() == 1


@pytest.mark.parametrize("missing", ["Triton", "C compiler"])
def test_a_machine_that_cannot_compile_is_told(missing, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if missing == "Triton" else object())
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(EngineError, match=missing):
        fused.fuse(True)
    fused.fuse(False)
