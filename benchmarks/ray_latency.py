"""What Ray adds to a frame's way: `python -m benchmarks.ray_latency`.

Echo speaks at real-time pace, one frame each 80 ms, in a process of this machine and in one of a Ray cluster
on it, by turns and with both of them there, so that they meet the same machine. How late a frame comes is
told against the earliest of the same answer; a question that needs no work tells what the way there and back
takes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import statistics
import sys
import time
from dataclasses import dataclass, field

import torch

from benchmarks.report import Report, add_options, number, percentile, table
from engine import FRAME_SAMPLES, SAMPLE_RATE, AudioDelta, Engine, EngineSettings, Message, Request, Text
from engine.factory import ECHO_PACE, create

_FRAME_S = FRAME_SAMPLES / SAMPLE_RATE
_WORDS = 30
_QUESTIONS = 100
HEAD = (
    "engine",
    "a question and its answer, median ms",
    "p99 ms",
    "a frame late, median ms",
    "p95 ms",
    "p99 ms",
)


@dataclass
class Times:
    """Seconds, of all rounds: of questions and their answers, and by which frames came late."""

    asked: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)

    def cells(self) -> list[float]:
        """Milliseconds, for the columns of `HEAD`."""
        return [
            1000 * (each or 0.0)
            for each in (
                statistics.median(self.asked),
                percentile(self.asked, 99),
                statistics.median(self.late),
                percentile(self.late, 95),
                percentile(self.late, 99),
            )
        ]


async def round_trips(engine: Engine, count: int) -> list[float]:
    """Seconds of `voices()`, asked and answered through the whole way."""
    took = []
    for _ in range(count):
        began = time.perf_counter()
        await engine.voices()
        took.append(time.perf_counter() - began)
    return took


async def lateness(engine: Engine) -> list[float]:
    """Seconds by which each frame came after the earliest time that the pace allows."""
    asked = Request("late", (Message("user", (Text(" ".join(["word"] * _WORDS)),)),))
    came = [time.perf_counter() async for event in engine.respond(asked) if isinstance(event, AudioDelta)]
    early = min(at - number * _FRAME_S for number, at in enumerate(came))
    return [at - number * _FRAME_S - early for number, at in enumerate(came)]


async def measure(settings: dict[str, EngineSettings], rounds: int) -> dict[str, Times]:
    """The times of engines by their names, taken by turns."""
    engines = {name: create(each) for name, each in settings.items()}
    times = {name: Times() for name in engines}
    opened = []
    try:
        for engine in engines.values():
            await engine.open()
            opened.append(engine)
            await round_trips(engine, 20)
        for _ in range(rounds):
            for name, engine in engines.items():
                times[name].asked += await round_trips(engine, _QUESTIONS)
                times[name].late += await lateness(engine)
    finally:
        for engine in opened:
            await engine.close()
    return times


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ray_latency", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="answers of each engine (5)")
    add_options(parser)
    options = parser.parse_args(arguments)
    os.environ[ECHO_PACE] = "1"
    here, there = "process of this machine", "Ray actor on this machine"
    times = asyncio.run(
        measure({here: EngineSettings("echo"), there: EngineSettings("echo", ray="local")}, options.rounds)
    )
    rows = {name: each.cells() for name, each in times.items()}
    rows["Ray adds"] = [more - less for more, less in zip(rows[there], rows[here], strict=True)]
    report = Report("What Ray adds to a frame's way", "ray_latency", arguments)
    report.add(
        f"echo, one frame each {1000 * _FRAME_S:.0f} ms: {platform.machine()}, {os.cpu_count()} cores; "
        f"{len(times[here].asked)} questions and {len(times[here].late)} frames of each, by turns."
    )
    report.add(table(HEAD, [(name, *(number(each, 2) for each in cells)) for name, cells in rows.items()]))
    report.keep(options, torch.device("cpu"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
