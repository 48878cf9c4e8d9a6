"""`benchmarks.frames` and `benchmarks.streams` of one loaded engine: `python -m benchmarks.both MODEL`.

For a GPU that is rented by the minute: loading and recording take longer than either measurement. The steps
are those of the engine itself, before it is asked for anything; the sessions ask it in this process, which is
harder on it than serving: the engine's thread shares Python with theirs. With `--host`, where that thread
spends its time while the most sessions speak: a sampler looks 500 times a second.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType

import torch

from benchmarks.frames import measure_steps, random_case
from benchmarks.report import Report, add_options, number, table, where
from benchmarks.streams import HEAD, Load, row
from engine.api import EngineError
from engine.chroma import parity
from engine.chroma.engine import ChromaEngine
from engine.chroma.model import use_device
from engine.garbage import settle
from engine.settings import EngineSettings

_EVERY_S = 0.002
_DEEP = 5
"""Innermost functions that a sample is told by."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.both", description=__doc__)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32, 64, 128])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--kernels", type=int, nargs="+", default=[], metavar="BATCH")
    parser.add_argument("--no-eager", action="store_true")
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 64, 128])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--answer", type=float, default=5.0)
    parser.add_argument("--question", type=float, default=2.0)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--fused-kernels", action="store_true", help="see serve")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--host", action="store_true")
    add_options(parser)
    return parser.parse_args(arguments)


@contextmanager
def sampled(thread: threading.Thread) -> Iterator[Counter[str]]:
    """How often a thread was seen in which functions, meanwhile."""
    seen: Counter[str] = Counter()
    over = threading.Event()

    def look() -> None:
        while not over.wait(_EVERY_S):
            assert thread.ident is not None
            seen[_told(sys._current_frames().get(thread.ident))] += 1

    looker = threading.Thread(target=look, daemon=True)
    looker.start()
    try:
        yield seen
    finally:
        over.set()
        looker.join()


def _told(frame: FrameType | None) -> str:
    names: list[str] = []
    while frame is not None and len(names) < _DEEP:
        names.append(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}")
        frame = frame.f_back
    return " < ".join(names)


async def measure(options: argparse.Namespace, report: Report) -> torch.device:
    """Print everything; returns where the engine ran."""
    begin = time.perf_counter()
    engine = ChromaEngine(
        EngineSettings(
            options.model,
            device=options.device,
            dtype=options.dtype,
            slots=max(*options.batches, *options.sessions),
            admission=False,
            max_seconds=options.answer,
            context=options.context,
            fused_kernels=options.fused_kernels,
        )
    )
    await engine.open()
    try:
        settle()
        chroma, device = engine._chroma, engine._chroma.speaker.device
        report.add(
            f"{where(options.model, device, chroma.speaker.frames.dtype)}; ready after"
            f" {time.perf_counter() - begin:.0f} s; median of {options.repeats}."
        )
        for part, graphs in chroma.graphs.items():
            report.add(f"{part}: {graphs.counts}.")
        use_device(device)
        case = random_case(chroma, options.frames)
        job = parity.job(chroma, "alone", case, torch.from_numpy(case["prompt_codes"].T.copy()))
        measure_steps(chroma, job, report, options, graphs=chroma.graphs["Speaker"].on)
        load = Load(engine, question=options.question, answer=options.answer)
        await load.level(1, 0.1)
        rows, seen = [], Counter[str]()
        assert engine._thread is not None
        for sessions in sorted(options.sessions):
            with sampled(engine._thread) if options.host else nullcontext(seen) as seen:
                level, at_once = await load.level(sessions, options.seconds)
            rows.append(row(level, at_once))
            print("both:", *rows[-1], file=sys.stderr, flush=True)
            if level.failures:
                raise EngineError("answer_failed", f"{level.failures} answers failed at {sessions} sessions")
        report.add(table(HEAD, rows))
        if options.host:
            total = sum(seen.values())
            shares = [(number(100 * n / total, 1), name) for name, n in seen.most_common(40)]
            report.add(table(("% of the thread", "innermost functions"), shares))
        return device
    finally:
        await engine.close()


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    report = Report("Frames, and sessions spoken to at once", "both", arguments)
    try:
        device = asyncio.run(measure(options, report))
    except EngineError as error:
        print(f"both: {error.message}", file=sys.stderr)
        return 1
    report.keep(options, device)
    return 0


if __name__ == "__main__":
    sys.exit(main())
