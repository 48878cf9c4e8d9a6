"""What is left to do when a turn ends: `python -m benchmarks.ahead MODEL`.

Milliseconds from the end of a spoken turn to the first sound of its answer, with the turn heard while it was
spoken and with all of it heard afterwards, for turns of several lengths. MODEL as for `benchmarks.frames`.
The sound is noise: what is measured does not depend on it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time

import numpy as np

from benchmarks.report import Report, add_options, number, table, where
from engine.api import SAMPLE_RATE, Audio, AudioDelta, Message, Request, Text
from engine.chroma.engine import ChromaEngine
from engine.chroma.model import pick_device, pick_dtype
from engine.settings import EngineSettings

PIECE = SAMPLE_RATE // 5
HISTORY = (Message("system", (Text("Answer in one short sentence."),)),)


async def until_sound(engine: ChromaEngine, request: Request) -> float:
    """Seconds from a request to its first sound; the answer is cancelled then."""
    begin = time.perf_counter()
    events = engine.respond(request)
    async for event in events:
        if isinstance(event, AudioDelta):
            break
    seconds = time.perf_counter() - begin
    await engine.cancel(request.id)
    async for _ in events:
        pass
    return seconds


async def measure(engine: ChromaEngine, seconds: float, *, ahead: bool, name: str) -> float:
    """One turn of so many seconds."""
    rng = np.random.default_rng(abs(hash(name)))
    sound = (rng.standard_normal(int(seconds * SAMPLE_RATE)) * 3000).astype("<i2").tobytes()
    if ahead:
        before = Request("before", HISTORY)
        for begin in range(0, len(sound), 2 * PIECE):
            await engine.listen(Audio(name, sound[begin : begin + 2 * PIECE]), None if begin else before)
        # The engine does one thing after another: when this is answered, it has heard all that.
        settled = Request(f"settled {name}", HISTORY, speak=False, max_tokens=1)
        async for _ in engine.respond(settled):
            pass
    request = Request(name, (*HISTORY, Message("user", (Audio(name, sound),))), temperature=0.0, seed=1)
    took = await until_sound(engine, request)
    await engine.forget([name])
    return took


async def run(options: argparse.Namespace) -> list[tuple[str, ...]]:
    """A row for each length."""
    engine = ChromaEngine(
        EngineSettings(options.model, device=options.device, slots=2, context=options.context)
    )
    await engine.open()
    await measure(engine, 2.0, ahead=True, name="warm-up")
    rows: list[tuple[str, ...]] = []
    for seconds in options.seconds:
        medians = []
        for ahead in (False, True):
            times = [
                await measure(engine, seconds, ahead=ahead, name=f"{seconds} {ahead} {index}")
                for index in range(options.repeats)
            ]
            medians.append(1000 * statistics.median(times))
        late, early = medians
        rows.append((f"{seconds:g}", number(late), number(early), number(late / early, 1)))
    await engine.close()
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ahead", description=__doc__)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--seconds", type=float, nargs="+", default=[1, 5, 15, 30])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--context", type=int, default=2048)
    parser.add_argument("--device", default="auto")
    add_options(parser)
    options = parser.parse_args(arguments)
    rows = asyncio.run(run(options))
    device = pick_device(options.device)
    report = Report("First sound after the end of a turn", "ahead", arguments)
    report.add(f"{where(options.model, device, pick_dtype('auto', device))}; median of {options.repeats}.")
    head = ("turn, s", "heard afterwards, ms", "heard while spoken, ms", "times sooner")
    report.add(table(head, rows))
    report.keep(options, device)
    return 0


if __name__ == "__main__":
    sys.exit(main())
