"""Which kernels a step spends its time in, as torch's own profiler sees them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.report import number, table
from benchmarks.timing import wait

_NAME = 90
"""Characters of a kernel's name that are shown: templates fill pages."""


def longest(run: Callable[[], object], steps: int, device: torch.device, most: int = 24) -> str:
    """A table of the kernels that take longest in `run`, which makes `steps` steps; on a CPU, of operators.

    Steps that are replayed are seen as well: each kernel of a CUDA graph is one of its own there.
    """
    cuda = device.type == "cuda"
    activities = [ProfilerActivity.CUDA] if cuda else [ProfilerActivity.CPU]
    run()
    with profile(activities=activities) as profiler:
        run()
        wait(device)
    kind = DeviceType.CUDA if cuda else DeviceType.CPU
    times = {
        event.key: ((event.self_device_time_total if cuda else event.self_cpu_time_total), event.count)
        for event in profiler.key_averages()
        if event.device_type == kind
    }
    total = sum(took for took, _ in times.values())
    ranked = sorted(times.items(), key=lambda entry: -entry[1][0])[:most]
    rows = [
        (number(took / steps, 1), number(100 * took / total, 1), number(count / steps, 1), name[:_NAME])
        for name, (took, count) in ranked
    ]
    calls = sum(count for _, count in times.values())
    everything = (number(total / steps, 1), "100", number(calls / steps, 1), "all")
    return table(("us a step", "%", "calls a step", "kernel"), [*rows, everything])
