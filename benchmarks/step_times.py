"""Seconds of a turn of the frame loop by how many answers speak in it: measured, or the memory's floor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_GB = 1e9
BANDWIDTH = 4300 * _GB
"""Bytes a second of a device copy on an H200, as told; `benchmarks.floor` measures the one at hand."""
FLOPS = 990e12
"""Sums and products a second in bf16 that an H200 has by its data sheet."""
WEIGHTS = 6.7 * _GB
"""Bytes that a frame reads whatever the batch: Backbone 1.95 GB, Decoder 7 x 0.22, Mimi 0.1, half a token of
the Reasoner 3.1."""
_BACKBONE_POSITIONS, _REASONER_POSITIONS = 180, 800
"""That a common answer has behind it: a voice of 4 s and half of the answer; the conversation so far."""
KEYS = 32 * 1024 * _BACKBONE_POSITIONS + 36 * 1024 * _REASONER_POSITIONS / 2
"""Bytes of keys and values that each answer's frame reads."""
PRODUCTS = 2 * (1.0e9 + 7 * 0.11e9 + 3.1e9 / 2)
"""Sums and products of each answer's frame: two for each weight that it meets."""
PREFILL = 2 * 3.1e9 * 80 / FLOPS + 6.2 * _GB / BANDWIDTH
"""Seconds to read what is left at the end of a turn that was heard while it was said: some 80 tokens."""


@dataclass(frozen=True)
class StepTimes:
    """Seconds of a turn by its batch, and where they are from. `prefill`: what a prompt adds to the turn that
    reads it."""

    seconds: Mapping[int, float]
    source: str
    prefill: float = PREFILL

    @classmethod
    def floor(cls, slower: float = 1.0) -> StepTimes:
        """No measurement: the least that an H200 could take, times so much."""
        sizes = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
        row = KEYS / BANDWIDTH + PRODUCTS / FLOPS
        seconds = {size: slower * (WEIGHTS / BANDWIDTH + row * size) for size in sizes}
        name = "the memory's floor" if slower == 1 else f"{slower:g} times the memory's floor"
        return cls(seconds, f"{name} on an H200, no measurement", slower * PREFILL)

    @classmethod
    def read(cls, path: Path) -> StepTimes:
        """What `benchmarks.frames --json` wrote.

        Raises:
            ValueError: it is something else.
        """
        try:
            kept = json.loads(path.read_text())
            seconds = {int(size): float(ms) / 1000 for size, ms in kept["turn_ms"].items()}
            source = str(kept["source"])
            prefill = float(kept.get("prefill_ms", PREFILL * 1000)) / 1000
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{path} holds no times of benchmarks.frames: {error}") from None
        if not seconds or min(seconds.values()) <= 0:
            raise ValueError(f"{path} holds no times of benchmarks.frames")
        return cls(seconds, source, prefill)

    def to_json(self) -> str:
        """For `read`."""
        turns = {str(size): round(1000 * seconds, 4) for size, seconds in self.seconds.items()}
        return json.dumps({"source": self.source, "turn_ms": turns}, indent=1)

    def at(self, batch: int) -> float:
        """Seconds of a turn of so many, by a straight line between the measured ones, and beyond the last."""
        sizes, times = zip(*sorted(self.seconds.items()), strict=True)
        if batch <= sizes[-1] or len(sizes) == 1:
            return float(np.interp(batch, sizes, times))
        slope = (times[-1] - times[-2]) / (sizes[-1] - sizes[-2])
        return float(times[-1] + slope * (batch - sizes[-1]))
