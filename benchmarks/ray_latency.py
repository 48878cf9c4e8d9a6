"""What Ray adds to a delta: `python -m benchmarks.ray_latency`.

Echo speaks at real-time pace, one frame each 80 ms, in a process of this machine and in one of a Ray cluster
on it. How late a frame comes is told against the earliest of the same answer; a question that needs no work
tells what the way there and back takes.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time

from engine import FRAME_SAMPLES, SAMPLE_RATE, AudioDelta, Engine, EngineSettings, Message, Request, Text
from engine.factory import ECHO_PACE, create

_FRAME_S = FRAME_SAMPLES / SAMPLE_RATE
_WORDS = 30


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


async def measure(name: str, settings: EngineSettings) -> None:
    engine = create(settings)
    await engine.open()
    try:
        await round_trips(engine, 20)
        asked = [1000 * took for took in await round_trips(engine, 200)]
        late = [1000 * took for took in await lateness(engine)]
    finally:
        await engine.close()
    print(
        f"| {name} | {statistics.median(asked):.2f} | {sorted(asked)[int(0.99 * len(asked))]:.2f} |"
        f" {statistics.median(late):.2f} | {max(late):.2f} |"
    )


def main() -> int:
    os.environ[ECHO_PACE] = "1"
    print("| engine | a question and its answer, median ms | p99 ms | a frame late, median ms | latest ms |")
    print("|---|---|---|---|---|")
    asyncio.run(measure("process of this machine", EngineSettings("echo")))
    asyncio.run(measure("Ray actor on this machine", EngineSettings("echo", ray="local")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
