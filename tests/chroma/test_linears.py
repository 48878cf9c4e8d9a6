"""Weights as a step reads them: joined, under the names of the checkpoint, and in memory once."""

import weakref

import torch
from golden import GOLDEN
from torch import nn

from engine.chroma.checkpoint import Checkpoint
from engine.chroma.linears import Joined
from engine.chroma.model import load_model


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
