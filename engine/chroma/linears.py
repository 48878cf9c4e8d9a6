"""Linear maps as a step reads them: those of one input as one matrix, in one kernel."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class Joined:
    """Linear maps of the same input, with their weights already in, as one.

    Their own weights become views of its matrix: they keep the names and shapes of the checkpoint, and no
    number is held twice. All of them have biases or none has.
    """

    def __init__(self, *parts: nn.Linear) -> None:
        self._sizes = [part.out_features for part in parts]
        self._weight = torch.cat([part.weight for part in parts])
        for part, rows in zip(parts, self._weight.split(self._sizes), strict=True):
            part.weight = nn.Parameter(rows, requires_grad=False)
        self._bias = None if parts[0].bias is None else torch.cat([part.bias for part in parts])

    def __call__(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What each of them makes of x [..., in]: [..., out] of its own, views of one tensor."""
        return F.linear(x, self._weight, self._bias).split(self._sizes, dim=-1)
