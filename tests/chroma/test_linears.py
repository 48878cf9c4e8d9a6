"""Weights as a step reads them: joined, under the names of the checkpoint, and in memory once."""

import weakref

import pytest
import torch
from golden import GOLDEN
from torch import nn

from benchmarks import weights
from engine.api import EngineError
from engine.chroma.checkpoint import Checkpoint
from engine.chroma.engine import ChromaEngine
from engine.chroma.linears import Int8, Joined
from engine.chroma.model import load_model
from realtime.server.cli import main


def test_joined_maps_give_what_each_gives():
    parts = [nn.Linear(6, width) for width in (4, 2, 3)]
    x = torch.randn(2, 5, 6)
    apart = [part(x) for part in parts]
    joined = Joined(*parts)(x)
    for one, other, part in zip(joined, apart, parts, strict=True):
        assert torch.allclose(one, other, atol=1e-6)
        assert torch.allclose(part(x), other, atol=1e-6)


def stacks(chroma):
    frames, reasoner = chroma.speaker.frames, chroma.reasoner
    return {
        "backbone.model.": frames.backbone.model,
        "decoder.model.": frames.decoder.model,
        "thinker.model.": reasoner._model,
    }


def test_names_and_numbers_stay_those_of_the_checkpoint(chroma):
    for prefix, stack in stacks(chroma).items():
        published = Checkpoint(GOLDEN).read(prefix, torch.float32, torch.device("cpu"))
        published.pop("embed_tokens.weight", None)
        state = stack.state_dict()
        assert set(state) == set(published)
        assert all(torch.equal(state[name], tensor) for name, tensor in published.items())


def test_no_weight_is_in_memory_twice(monkeypatch):
    read = {}
    original = Checkpoint.read

    def watched(self, prefix, dtype, device):
        tensors = original(self, prefix, dtype, device)
        read.update({prefix + name: weakref.ref(tensor) for name, tensor in tensors.items()})
        return tensors

    monkeypatch.setattr(Checkpoint, "read", watched)
    chroma = load_model(GOLDEN, slots=1, top_k=50, device=torch.device("cpu"), dtype=torch.float32)
    joined = [name for name in read if name.split(".")[-2] in {"q_proj", "k_proj", "up_proj", "gate_proj"}]
    ours = [name for name in joined if name.startswith(tuple(stacks(chroma)))]
    assert len(ours) > 20
    assert not [name for name in ours if read[name]() is not None]
    for stack in stacks(chroma).values():
        held = {
            part.untyped_storage().data_ptr(): part.untyped_storage().nbytes() for part in stack.parameters()
        }
        assert sum(held.values()) <= 1.05 * sum(part.nbytes for part in stack.parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_int8_is_the_nearest_step_of_each_output(dtype):
    parts = [nn.Linear(64, width, bias=True).to(dtype) for width in (40, 8)]
    parts[0].weight.data[3] = 0
    weight, bias = torch.cat([each.weight for each in parts]), torch.cat([each.bias for each in parts])
    rough, x = Int8(*parts), torch.randn(2, 3, 64, dtype=dtype)
    held = rough._weight.float() * rough._scale.float()[:, None]
    step = weight.float().abs().amax(dim=1, keepdim=True) / 127
    assert ((held - weight.float()).abs() <= 0.51 * step + 1e-9).all()
    for one, other in zip(rough(x), (x.float() @ held.T + bias.float()).split((40, 8), -1), strict=True):
        assert one.dtype == dtype
        assert torch.allclose(one.float(), other, atol=3e-2, rtol=3e-2)
    assert not any("weight" in each.state_dict() for each in parts), "the full weights are let go"


def test_int8_gives_the_same_where_a_device_has_no_product_for_it():
    rough, x = Int8(nn.Linear(64, 16, bias=False)), torch.randn(5, 64)
    assert torch.allclose(rough.widened(x), rough(x)[0], atol=3e-2, rtol=3e-2)


def test_a_model_of_int8_answers_nearly_the_same(cases):
    settings = {"slots": 1, "top_k": 50, "device": torch.device("cpu"), "dtype": torch.float32}
    full, rough = (load_model(GOLDEN, weights=name, **settings) for name in ("full", "int8"))
    asked = weights.answer(full, cases["long"])
    assert asked.codes.tolist() == cases["long"]["codes"].tolist()
    said = [weights.logits(chroma, asked).argmax(-1) for chroma in (full, rough)]
    assert torch.equal(said[0], asked.codes), "asked again, it says what it said"
    assert 0.8 < (said[1] == asked.codes).float().mean() < 1
    for stack in stacks(rough).values():
        assert sum(each.nbytes for each in stack.parameters()) < 5000, "norms alone"


def test_the_setting_reaches_the_model(monkeypatch):
    """From the command line to the loading of the checkpoint."""
    asked = {}

    def load(*_, **settings):
        asked.update(settings)
        raise EngineError("stopped", "far enough")

    def created(settings):
        ChromaEngine(settings)._load()

    monkeypatch.setattr("engine.chroma.engine.load_model", load)
    monkeypatch.setattr("engine.factory.create", created)
    for arguments, expected in (([], "full"), (["--weights", "int8"], "int8")):
        assert main(["serve", "--model", str(GOLDEN), "--device", "cpu", *arguments]) == 1
        assert asked["weights"] == expected
