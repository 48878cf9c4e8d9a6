"""How long something takes, on a CPU and on a GPU."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch


def wall_ms(
    run: Callable[[], object],
    repeats: int,
    device: torch.device,
    *,
    before: Callable[[], object] | None = None,
) -> float:
    """Median milliseconds until all that `run` asks of the device is done, after one run to warm up. `before`
    comes before each run and is not timed."""
    times = []
    for _ in range(repeats + 1):
        if before is not None:
            before()
        wait(device)
        begin = time.perf_counter()
        run()
        wait(device)
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times[1:])


def device_ms(run: Callable[[], object], repeats: int, device: torch.device, *, inner: int = 10) -> float:
    """Median milliseconds that the device itself takes for `run`.

    A GPU's clock times `inner` runs in a row, so that the host's launches hide behind the work before them;
    on a CPU this is `wall_ms`.
    """
    if device.type != "cuda":
        return wall_ms(run, repeats, device)
    run()
    times = []
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        wait(device)
        begin.record()
        for _ in range(inner):
            run()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / inner)
    return statistics.median(times)


def wait(device: torch.device) -> None:
    """Until all that was asked of the device is done; on a CPU it is."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
