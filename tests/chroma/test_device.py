"""Which device a model lies on."""

import torch

from engine.chroma.model import use_device


def test_a_gpu_without_a_number_is_the_threads_own_already():
    """torch takes no such device for one to set: `cuda` is what `auto` picks."""
    use_device(torch.device("cuda"))
    use_device(torch.device("cpu"))
