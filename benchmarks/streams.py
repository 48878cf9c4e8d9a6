"""How many can be spoken to at once: `python -m benchmarks.streams MODEL`.

Sessions ask the engine as the gateway does, and play what comes. Each asks anew every `--answer` seconds, the
length of an answer, whether or not the engine has kept up (an open loop). Their turns are spread evenly:
after one such length all are being spoken to, and are for `--seconds` more. A question is `--question`
seconds of sound, heard while the answer before it plays. What is not whole when its session asks again is
cancelled, as by somebody who interrupts.

The levels of `--sessions` are tried from the smallest up to the first at which a listener runs dry or hears
nothing. MODEL as for `benchmarks.frames`, or a hub id. An answer's words are given, so that it lasts: the
engine reads and speaks them as if they were its own. Seeds are fixed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Coroutine
from typing import Any

import numpy as np

from benchmarks.report import Report, add_options, number, percentile, table, where
from engine.api import (
    FRAME_SAMPLES,
    FRAMES_PER_TEXT_TOKEN,
    SAMPLE_RATE,
    Audio,
    AudioDelta,
    Engine,
    EngineError,
    Finished,
    Message,
    Request,
    Text,
)
from engine.chroma.model import pick_device, pick_dtype
from engine.factory import create
from engine.settings import EngineSettings
from realtime.bench.listener import Heard, Level, Listener, most_good

PIECE_S = 0.2
"""Seconds of a question that the engine is given at a time."""
HISTORY = (Message("system", (Text("Answer in one short sentence."),)),)
HEAD = (
    "sessions",
    "spoken to at once",
    "answers",
    "first sound p50, ms",
    "p95, ms",
    "p99, ms",
    "without sound",
    "sessions that ran dry",
    "gaps",
    "longest gap, ms",
)


class Load:
    """Sessions on an open engine. `question` and `answer` in seconds."""

    def __init__(self, engine: Engine, *, question: float, answer: float) -> None:
        self._engine, self._question, self._answer = engine, question, answer
        frames = answer * SAMPLE_RATE / FRAME_SAMPLES
        # A word is a token or more: the words last at least as long as the sound.
        self._words = " ".join(["word"] * (1 + int(frames / FRAMES_PER_TEXT_TOKEN)))
        rng = np.random.default_rng(1)
        self._sound = (rng.standard_normal(int(question * SAMPLE_RATE)) * 3000).astype("<i2").tobytes()

    async def level(self, sessions: int, seconds: float) -> tuple[Level, float]:
        """So many sessions; all of them are spoken to for `seconds`. Returns how many were, on average."""
        level = Level(sessions)
        begin = asyncio.get_running_loop().time() + self._question + PIECE_S
        end = begin + self._answer + seconds
        level.heard = await asyncio.gather(
            *(
                self._session(level, f"{sessions} {index}", begin + self._answer * index / sessions, end)
                for index in range(sessions)
            )
        )
        played = sum(heard.played(begin + self._answer, end) for heard in level.answers)
        return level, played / seconds

    async def _session(self, level: Level, name: str, begin: float, end: float) -> list[Heard]:
        turns: list[Coroutine[Any, Any, Heard]] = []
        while begin < end:
            turns.append(self._turn(level, f"{name} {len(turns)}", begin, seed=len(turns)))
            begin += self._answer
        return await asyncio.gather(*turns)

    async def _turn(self, level: Level, name: str, asked: float, *, seed: int) -> Heard:
        """A question whose last sound is spoken at `asked`, and its answer."""
        clock = asyncio.get_running_loop()
        await self._ask(name, asked)
        message = (
            Message("user", (Audio(name, self._sound),))
            if self._sound
            else Message("user", (Text("Go on."),))
        )
        request = Request(name, (*HISTORY, message), seed=seed, say=self._words)
        # Lateness of this program is a listener's too: the wait counts from when the question should end.
        listener, whole = Listener(asked), False
        try:
            async with asyncio.timeout_at(asked + self._answer):
                async for event in self._engine.respond(request):
                    if isinstance(event, AudioDelta):
                        listener.hear(clock.time(), event.pcm)
                    elif isinstance(event, Finished):
                        whole = True
                        level.failures += event.reason == "failed"
        except TimeoutError:
            await self._engine.cancel(name)
        await self._engine.forget([name])
        return listener.over(clock.time(), whole=whole)

    async def _ask(self, name: str, asked: float) -> None:
        """Let the engine hear the question at the pace at which it is spoken."""
        clock = asyncio.get_running_loop()
        size = 2 * int(PIECE_S * SAMPLE_RATE)
        begin = asked - self._question
        for place in range(0, len(self._sound), size):
            piece = self._sound[place : place + size]
            await asyncio.sleep(begin + (place + len(piece)) / 2 / SAMPLE_RATE - clock.time())
            before = None if place else Request(f"before {name}", HISTORY)
            await self._engine.listen(Audio(name, piece), before)
        await asyncio.sleep(asked - clock.time())


def row(level: Level, at_once: float) -> tuple[str, ...]:
    """Of the table."""
    waits, gaps = level.waits, level.gaps
    return (
        f"{level.sessions}",
        number(at_once, 1),
        f"{len(level.answers)}",
        *(number(percentile(waits, each), factor=1000) for each in (50, 95, 99)),
        f"{level.silent}",
        f"{level.dry}",
        f"{len(gaps)}",
        number(max(gaps, default=None), factor=1000),
    )


async def measure(options: argparse.Namespace) -> tuple[list[Level], list[tuple[str, ...]]]:
    """All levels that were tried, and their rows.

    Raises:
        EngineError: the engine cannot be had, or an answer failed.
    """
    engine = create(
        EngineSettings(
            options.model,
            device=options.device,
            dtype=options.dtype,
            slots=max(options.sessions),
            admission=False,
            max_seconds=options.answer,
            context=options.context,
            cuda_graphs=not options.no_cuda_graphs,
            in_process=options.in_process,
        )
    )
    await engine.open()
    try:
        load = Load(engine, question=options.question, answer=options.answer)
        # The first answer of an engine is slow: voices and memory are made for it.
        await load.level(1, 0.1)
        levels, rows = [], []
        for sessions in sorted(options.sessions):
            level, at_once = await load.level(sessions, options.seconds)
            levels.append(level)
            rows.append(row(level, at_once))
            print(f"streams: {sessions} sessions: {'good' if level.good else 'too many'}", file=sys.stderr)
            if level.failures:
                raise EngineError("answer_failed", f"{level.failures} answers failed at {sessions} sessions")
            if not level.good:
                break
        return levels, rows
    finally:
        await engine.close()


def parse(arguments: list[str]) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description=__doc__)
    parser.add_argument("model", metavar="MODEL")
    levels = [1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256]
    parser.add_argument("--sessions", type=int, nargs="+", default=levels)
    parser.add_argument("--seconds", type=float, default=60.0, help="all sessions are spoken to for so long")
    parser.add_argument("--answer", type=float, default=10.0, help="seconds of an answer")
    parser.add_argument("--question", type=float, default=2.0, help="seconds of a question; 0: it is typed")
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--no-cuda-graphs", action="store_true")
    parser.add_argument(
        "--in-process", action="store_true", help="the engine shares this process; served, it has its own"
    )
    add_options(parser)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    try:
        levels, rows = asyncio.run(measure(options))
        device = pick_device(options.device)
        dtype = pick_dtype(options.dtype, device)
    except EngineError as error:
        print(f"streams: {error.message}", file=sys.stderr)
        return 1
    report = Report("Sessions spoken to at once", "streams", arguments)
    process = "this process" if options.in_process else "a process of its own"
    report.add(
        f"{where(options.model, device, dtype)}; engine in {process}, {max(options.sessions)} slots, context"
        f" {options.context}; questions of {options.question:g} s, answers of {options.answer:g} s."
    )
    report.add(table(HEAD, rows))
    most = most_good(levels)
    beyond = "" if most < max(options.sessions) else ", the most that was tried"
    report.add(f"Most sessions without an underrun over {options.seconds:g} s: {most}{beyond}.")
    report.keep(options, device)
    return 0


if __name__ == "__main__":
    sys.exit(main())
