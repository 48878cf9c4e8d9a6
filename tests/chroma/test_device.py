"""Which device a model lies on."""

import torch

from engine.chroma.model import use_device


def test_only_a_gpu_with_a_number_is_set(monkeypatch):
    """torch refuses `cuda`, which `auto` picks: that one is the thread's own already."""
    taken = []
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    for name in ("cuda", "cpu", "cuda:1"):
        use_device(torch.device(name))
    assert taken == [torch.device("cuda:1")]
