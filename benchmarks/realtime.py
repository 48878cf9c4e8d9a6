"""Conversations through the gateway: `python -m benchmarks.realtime MODEL`.

A server in processes of its own, as `chroma-realtime serve` starts it, and many clients in this one, each a
WebSocket with the events of OpenAI's Realtime API (see `realtime.bench.caller`). Their conversations begin
spread over the time that one turn takes; then they go on for `--seconds`. At each level of `--sessions`:

- first sound: from `input_audio_buffer.committed` to the first delta of sound,
- cadence: the time between two deltas of an answer, and its jitter, by how much that differs from the median
  of the same answer,
- barge-in: from the first sound of an interruption that the client sends to `speech_started`, and to the last
  delta of the interrupted answer; one that had been sent whole before is not counted,
- how late the clients' own microphones were: clients and server may share a machine.

MODEL as for `benchmarks.streams`. The recording is mono at 24 kHz, one turn without long pauses.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from benchmarks.report import Report, add_options, number, percentile, table, where
from benchmarks.served import served
from engine.api import EngineError
from engine.chroma.model import pick_device, pick_dtype
from realtime.bench.caller import Caller, Notes, Speech, read_speech
from realtime.bench.listener import Level
from realtime.bench.plans import Dialogue

QUESTION = Path(__file__).parents[1] / "examples" / "question.wav"
HEAD = (
    "sessions",
    "answers",
    "without sound",
    "first sound p50, ms",
    "p95, ms",
    "p99, ms",
    "between deltas p50, ms",
    "jitter p95, ms",
    "p99, ms",
    "sessions that ran dry",
    "barge-ins",
    "to speech_started p50, ms",
    "to last delta p50, ms",
    "p95, ms",
    "clients late p99, ms",
)
_SILENCE_S = 0.5
"""After which the server takes a turn to be over."""


async def level(url: str, sessions: int, *, speech: Speech, listens: float, seconds: float) -> list[Notes]:
    """What so many clients at once record."""
    period = speech.seconds + _SILENCE_S + listens
    clock = asyncio.get_running_loop()
    begin = clock.time()
    until = begin + period + seconds

    async def client(index: int) -> Notes:
        await asyncio.sleep(begin + period * index / sessions - clock.time())
        # Speech does not deflate.
        async with connect(url, compression=None, max_size=None, open_timeout=60) as socket:
            notes = Notes()
            await Caller(socket, speech, Dialogue(listens), notes).talk(until)
        return notes

    return await asyncio.gather(*(client(index) for index in range(sessions)))


def row(records: list[Notes]) -> tuple[str, ...]:
    """Of the table."""
    heard = Level(len(records), [record.answers for record in records])
    intervals = [each for answer in heard.answers for each in answer.intervals]
    jitter = [each for answer in heard.answers for each in answer.jitter]
    barge_ins = [each for record in records for each in record.barge_ins]
    lateness = [each for record in records for each in record.lateness]

    def ms(values: list[float], percent: float) -> str:
        return number(percentile(values, percent), factor=1000)

    return (
        f"{heard.sessions}",
        f"{len(heard.answers)}",
        f"{heard.silent}",
        *(ms(heard.waits, each) for each in (50, 95, 99)),
        ms(intervals, 50),
        ms(jitter, 95),
        ms(jitter, 99),
        f"{heard.dry}",
        f"{len(barge_ins)}",
        ms([each.noticed for each in barge_ins if each.noticed is not None], 50),
        *(ms([each.last_delta for each in barge_ins], percent) for percent in (50, 95)),
        ms(lateness, 99),
    )


async def measure(url: str, options: argparse.Namespace) -> tuple[list[tuple[str, ...]], str | None]:
    """A row for each level up to the first at which the server refuses something, and what is to be said of
    that one."""
    speech = read_speech(options.recording)
    # The first answer of an engine is slow: voices and memory are made for it.
    await level(url, 1, speech=speech, listens=0.1, seconds=0.1)
    rows: list[tuple[str, ...]] = []
    for sessions in options.sessions:
        records = await level(url, sessions, speech=speech, listens=options.listens, seconds=options.seconds)
        if failures := sum(len(record.failures) for record in records):
            return rows, f"At {sessions} sessions the server refused {failures} answers."
        rows.append(row(records))
        print(f"realtime: {sessions} sessions done", file=sys.stderr)
    return rows, None


def parse(arguments: list[str]) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.realtime", description=__doc__)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 16, 64, 128])
    parser.add_argument("--seconds", type=float, default=60.0, help="of each level, once all have begun")
    parser.add_argument(
        "--listens", type=float, default=2.0, help="seconds from an answer's first sound to its interruption"
    )
    parser.add_argument("--recording", type=Path, default=QUESTION, help="what the clients say")
    parser.add_argument("--context", type=int, default=2048)
    parser.add_argument("--early-answers", choices=("off", "auto", "on"), default="auto", help="see serve")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--no-cuda-graphs", action="store_true")
    parser.add_argument("--in-process", action="store_true", help="the engine shares the server's process")
    add_options(parser)
    return parser.parse_args(arguments)


def serve_options(options: argparse.Namespace) -> list[str]:
    """Of the server's command line."""
    most = max(options.sessions)
    flags = [("--no-cuda-graphs", options.no_cuda_graphs), ("--in-process", options.in_process)]
    return [
        *("--model", options.model, "--device", options.device, "--dtype", options.dtype),
        *("--early-answers", options.early_answers),
        *("--slots", f"{most}", "--max-sessions", f"{most + 1}", "--context", f"{options.context}"),
        *(flag for flag, wanted in flags if wanted),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    try:
        with served(serve_options(options)) as server:
            rows, refused = asyncio.run(measure(f"{server.address}/v1/realtime?model=chroma", options))
        device = pick_device(options.device)
        dtype = pick_dtype(options.dtype, device)
    except (EngineError, RuntimeError, ValueError, OSError, WebSocketException) as error:
        print(f"realtime: {error}", file=sys.stderr)
        return 1
    report = Report("Conversations over the WebSocket", "realtime", arguments)
    process = "the server's process" if options.in_process else "a process of its own"
    report.add(
        f"{where(options.model, device, dtype)}; engine in {process}, {max(options.sessions)} slots, context"
        f" {options.context}, early answers {options.early_answers};"
        f" interrupted {options.listens:g} s after the first sound, {options.seconds:g} s a level."
    )
    report.add(table(HEAD, rows))
    if refused:
        report.add(refused)
    report.keep(options, device)
    return 0


if __name__ == "__main__":
    sys.exit(main())
