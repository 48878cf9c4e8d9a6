"""Linear maps as a step reads them: those of one input as one matrix, in one kernel, in full or in 8 bits."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn
from torch.nn import functional as F

from engine.settings import Weights

_STEPS = 127
"""Of 8 bits with a sign, either way from 0."""


class Maps(Protocol):
    """Linear maps of the same input."""

    def __call__(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What each of them makes of x [..., in]: [..., out] of its own, views of one tensor."""
        ...


def join(weights: Weights, *parts: nn.Linear) -> Maps:
    """Linear maps of the same input, with their weights already in, as one; all have biases or none has."""
    return Int8(*parts) if weights == "int8" else Joined(*parts)


class Joined:
    """See `join`. Their own weights become views of its matrix: they keep the names and shapes of the
    checkpoint, and no number is held twice."""

    def __init__(self, *parts: nn.Linear) -> None:
        self._sizes = [part.out_features for part in parts]
        self._weight = torch.cat([part.weight for part in parts])
        for part, rows in zip(parts, self._weight.split(self._sizes), strict=True):
            part.weight = nn.Parameter(rows, requires_grad=False)
        self._bias = _bias(parts)

    def __call__(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return F.linear(x, self._weight, self._bias).split(self._sizes, dim=-1)


class Int8:
    """See `join`. Each weight is the nearest of 255 even steps, up to the largest weight of its output; their
    own weights are dropped.

    What it gains: a weight takes one byte in memory and, on a CPU, whenever a step reads it; float32 takes
    four. What it costs: the sound is another one (`benchmarks.weights` says by how much); a CPU rounds x to
    bfloat16, the only one that torch has a fast product for, and takes longer over a long prompt, which is
    more rows than it is made for. A GPU widens the weights anew for every step: that spares memory and costs
    time.
    """

    def __init__(self, *parts: nn.Linear) -> None:
        self._sizes = [part.out_features for part in parts]
        weight = torch.cat([part.weight.detach() for part in parts])
        largest = weight.abs().amax(dim=1).bfloat16()
        self._scale = (largest / _STEPS).clamp_min(torch.finfo(largest.dtype).tiny)
        steps = (weight.float() / self._scale.float()[:, None]).round().clamp(-_STEPS, _STEPS)
        self._weight = steps.to(torch.int8)
        for part in parts:
            part.register_parameter("weight", None)
        self._bias = _bias(parts)

    def __call__(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        rows = x.flatten(0, -2)
        if x.device.type == "cpu":
            out = torch._weight_int8pack_mm(rows.bfloat16(), self._weight, self._scale).to(x.dtype)
        else:
            out = self.widened(rows)
        if self._bias is not None:
            out = out + self._bias
        return out.view(*x.shape[:-1], -1).split(self._sizes, dim=-1)

    def widened(self, rows: torch.Tensor) -> torch.Tensor:
        """The products of [rows, in], without bias, where the device has none for 8 bits: [rows, out]."""
        # Scaled first: sums of whole steps are too large for float16.
        return F.linear(rows, self._weight.to(rows.dtype) * self._scale.to(rows.dtype)[:, None])


def _bias(parts: tuple[nn.Linear, ...]) -> torch.Tensor | None:
    return None if parts[0].bias is None else torch.cat([part.bias for part in parts])
