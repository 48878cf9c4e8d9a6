"""Steps that are recorded once and replayed: CUDA graphs, one for each shape that occurs.

A step is a function of no arguments that reads and writes tensors at fixed addresses. Recorded at start-up on
the real path, its hundreds of kernels become one launch. A shape that was not recorded runs as it is, and is
counted, as it costs the host ten times as much.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

Step = Callable[[], Any]


class Recorder(Protocol):
    """Makes a step that can be repeated out of one that can be run."""

    def __call__(self, step: Step) -> tuple[Step, Any]:
        """Returns what repeats the step, and the outputs that each repetition fills anew."""


class CudaRecorder:
    """CUDA graphs that share one pool of memory: no two of them run at once, and what one has given may be
    overwritten by the next, whichever it is."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()

    def __call__(self, step: Step) -> tuple[Step, Any]:
        aside = torch.cuda.Stream(self._device)
        aside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(aside):
            # Libraries choose their kernels, and kernels are compiled, in the first run of a shape.
            step()
        torch.cuda.current_stream(self._device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            outputs = step()
        return graph.replay, outputs


@dataclass(slots=True)
class GraphCounts:
    """How often a step was replayed, and how often its shape was not there. `seconds` it took to record."""

    hits: int = 0
    misses: int = 0
    recorded: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Share of steps that were replayed; 0 before the first."""
        return self.hits / max(1, self.hits + self.misses)

    def __str__(self) -> str:
        steps = self.hits + self.misses
        return (
            f"{self.recorded} steps recorded in {self.seconds:.1f} s;"
            f" {100 * self.rate:.1f} % of {steps} steps were replayed"
        )


class Graphs:
    """Recorded steps by their shape. Without a recorder every step runs as it is."""

    def __init__(self, recorder: Recorder | None) -> None:
        self._recorder = recorder
        self._steps: dict[Hashable, tuple[Step, Any]] = {}
        self.counts = GraphCounts()

    @property
    def on(self) -> bool:
        """Steps are recorded."""
        return self._recorder is not None

    def record(self, shape: Hashable, step: Step) -> None:
        """Record a step; its tensors must stay where they are from now on."""
        if self._recorder is None:
            raise RuntimeError("these graphs are off")
        begin = time.perf_counter()
        self._steps[shape] = self._recorder(step)
        self.counts.recorded += 1
        self.counts.seconds += time.perf_counter() - begin

    def run(self, shape: Hashable, step: Step) -> Any:
        """Replay the step of this shape, or run this one. Returns its outputs, good until the next replay of
        anything that was recorded with the same recorder."""
        if shape not in self._steps:
            self.counts.misses += self.on
            return step()
        self.counts.hits += 1
        replay, outputs = self._steps[shape]
        replay()
        return outputs


def rungs(most: int, *, first: int = 1, factor: int = 2) -> tuple[int, ...]:
    """Sizes to record: `first`, and each `factor` times the one before it, up to `most` itself; none but that
    one is nearly as large."""
    sizes = []
    while first + first // 4 < most:
        sizes.append(first)
        first *= factor
    return (*sizes, most)


def fit(sizes: Sequence[int], size: int) -> int:
    """The smallest of some ascending sizes that holds `size`.

    Raises:
        ValueError: none does.
    """
    for each in sizes:
        if each >= size:
            return each
    raise ValueError(f"{size} is more than the largest size that was prepared, {sizes[-1]}")
