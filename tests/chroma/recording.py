"""A recorder for tests: it repeats the step itself. A CPU has no graphs, but it can keep to their rules."""

from contextlib import ExitStack, contextmanager
from functools import partial
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_FORBIDDEN = (
    "nonzero",
    "masked_select",
    "lift_fresh",  # torch.tensor(…): a copy from the host
    "unique",
    "equal",
)


class Capturing(TorchDispatchMode):
    """Raises where a CUDA graph could not be captured: the host waits for a value, or brings one."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.__name__
        if any(name.startswith(each) for each in _FORBIDDEN):
            raise AssertionError(f"{name} cannot be captured")
        if name in ("index.Tensor", "index_put_.default"):
            masks = [each for each in args[1] if each is not None and each.dtype == torch.bool]
            assert not masks, f"{name} by a mask cannot be captured"
        return func(*args, **(kwargs or {}))


@contextmanager
def waiting_refused():
    """On a CPU a value for the host is read without being dispatched: here it cannot be read at all."""

    def refuse(*_):
        raise AssertionError("a value for the host cannot be captured")

    with ExitStack() as stack:
        for name in ("item", "tolist", "__bool__", "__int__", "__float__", "__index__", "numpy"):
            stack.enter_context(patch.object(torch.Tensor, name, refuse))
        yield


class Repeater:
    """Records by keeping the step; each repetition has to fill the very outputs of the recording, and spoils
    those of all others: CUDA graphs of one recorder share their memory."""

    def __init__(self) -> None:
        self.repeated = 0
        self._outputs = []

    @torch.inference_mode()
    def __call__(self, step):
        with Capturing(), waiting_refused():
            outputs = step()
        self._outputs.append(outputs)
        return partial(self._repeat, step, outputs), outputs

    @torch.inference_mode()
    def _repeat(self, step, outputs):
        self.repeated += 1
        for other in self._outputs:
            for each in other:
                each.fill_(float("nan") if each.is_floating_point() else -1)
        for kept, new in zip(outputs, step(), strict=True):
            assert kept.shape == new.shape
            kept.copy_(new)
