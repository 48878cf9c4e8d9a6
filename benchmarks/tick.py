"""What a turn of the frame loop costs the host: `python -m benchmarks.tick MODEL`.

A device that takes no time stands in for the real one: its steps are recorded, and to repeat one does
nothing. What is left of a turn is Python, and the numbers that go in and out. All `--slots` answers speak,
and each makes a word with every second frame, as in a long conversation. MODEL as for `benchmarks.frames`:
its size does not matter, its number of codebooks does.

The timeline is the median of each part's share of a turn, in order; the profile names what takes longest, and
is from another run, as it slows down what it looks at.
"""

from __future__ import annotations

import argparse
import cProfile
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.frames import random_case
from benchmarks.report import Report, add_options, number, table, where
from engine.chroma import parity
from engine.chroma.graphs import Step
from engine.chroma.model import ChromaModel, load_model
from engine.chroma.speaker import Pair
from engine.runtime.job import Reason, Said
from engine.runtime.loop import FrameLoop

_WORDS = 4096
"""Tokens of an answer: more than are ever asked for."""
_PROFILED = 12


def idle_device(step: Step) -> tuple[Step, Any]:
    """A recorder (see `engine.chroma.graphs`): runs the step once, and never again."""
    outputs = step()
    return lambda: None, outputs


class _Ears:
    """Hears everything, keeps nothing."""

    def thought(self, thought: Any) -> Said:
        return Said((Pair(thought.pair.rows, last=False),))

    def begun(self, kept: int) -> None:
        pass

    def spoken(self, spoken: Any) -> None:
        pass

    def finished(self, reason: Reason, error: Exception | None) -> None:
        raise RuntimeError(f"an answer ended: {reason} {error or ''}")


class _Timeline:
    """How long each part of a turn takes: wraps methods of the loop, its Reasoner and its Speaker."""

    def __init__(self, parts: dict[str, tuple[Any, str]]) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(parts, 0.0)
        for part, (owner, method) in parts.items():
            setattr(owner, method, self._timed(part, getattr(owner, method)))

    def _timed(self, part: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **named: Any) -> Any:
            begin = time.perf_counter()
            try:
                return method(*arguments, **named)
            finally:
                self.seconds[part] += time.perf_counter() - begin

        return timed

    def take(self) -> dict[str, float]:
        """Seconds of each part since the last call."""
        taken, self.seconds = self.seconds, dict.fromkeys(self.seconds, 0.0)
        return taken


def speaking_loop(chroma: ChromaModel, slots: int) -> FrameLoop:
    """A loop in which so many answers speak, their texts as far ahead as they may run."""
    loop = FrameLoop(chroma.reasoner, chroma.speaker, ahead=float("inf"))
    case = random_case(chroma, _WORDS)
    codes = torch.from_numpy(case["prompt_codes"].T.copy())
    job = parity.job(chroma, "0", case, codes)
    job = replace(job, prompt=replace(job.prompt, sound=None, ids=list(range(1, 40)), forced=(5,) * _WORDS))
    for name in range(slots):
        loop.submit(replace(job, id=f"{name}"), _Ears())
    # A prompt is read in each turn; then texts run ahead for a while.
    for _ in range(slots + 64):
        loop.turn()
    return loop


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tick", description=__doc__)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--slots", type=int, default=128)
    parser.add_argument("--turns", type=int, default=200)
    add_options(parser)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    device, dtype = torch.device("cpu"), torch.float32
    chroma = load_model(
        options.model,
        slots=options.slots,
        top_k=50,
        device=device,
        dtype=dtype,
        context=512,
        recorder=idle_device,
    )
    report = Report("What a turn costs the host", "tick", arguments or sys.argv[1:])
    report.add(
        f"{where(options.model, device, dtype)}; {options.slots} answers speak, the device takes no time."
    )

    loop = speaking_loop(chroma, options.slots)
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(options.turns // 4):
        loop.turn()
    profile.disable()

    timeline = _Timeline(
        {
            "words": (chroma.reasoner, "turn"),
            "frames begun": (chroma.speaker, "step"),
            "frames handed out": (loop, "_hand_out"),
        }
    )
    turns: list[dict[str, float]] = []
    for _ in range(options.turns):
        begin = time.perf_counter()
        loop.turn()
        turns.append({"turn": time.perf_counter() - begin, **timeline.take()})
    rows = []
    for part in turns[0]:
        times = sorted(turn[part] for turn in turns)
        rows.append(
            (
                part,
                number(statistics.median(times), 2, factor=1000),
                number(times[int(0.99 * len(times))], 2, factor=1000),
            )
        )
    report.add(table(("part of a turn", "median, ms", "p99, ms"), rows))
    report.add("```\n" + _longest(profile, options.turns // 4) + "\n```")
    report.keep(options, device)
    return 0


def _longest(profile: cProfile.Profile, turns: int) -> str:
    """The functions that take longest by themselves, in ms a turn."""
    lines = []
    for entry in sorted(profile.getstats(), key=lambda entry: -entry.inlinetime)[:_PROFILED]:
        code = entry.code
        if not isinstance(code, str):
            code = f"{Path(code.co_filename).name}:{code.co_firstlineno} {code.co_name}"
        own, calls = 1000 * entry.inlinetime / turns, entry.callcount / turns
        lines.append(f"{own:7.3f} ms {calls:7.1f} calls  {code}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
