"""What one core of gateway bears: `python -m benchmarks.gateway`.

`--talking` sessions (several numbers: one after another) send 20 ms of sound every 20 ms, speech and silence,
under server_vad, are answered by the echo engine at the pace at which its answers play, and interrupt every
fourth answer; `--idle` more are open and say nothing. The whole gateway (sockets, protocol, voice activity
detection) is pinned to one core; the engine's process and the clients have the others. An event there and
back every second, behind the session's own sound, shows how long the gateway lets anything wait. Beside it,
in the same run, the same clients with `benchmarks.bare`, which reads frames and does nothing with them: what
is above that is the gateway's own.

Memory: of the gateway's process before there are sessions, with the idle ones, and with all of them at the
end.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import torch
from websockets.asyncio.client import connect

from benchmarks.report import Report, add_options, number, table
from benchmarks.served import SERVER, Served, served
from realtime.bench.address import metrics_url, socket_url
from realtime.bench.caller import read_speech
from realtime.bench.figures import Figures
from realtime.bench.load import Clients, Load
from realtime.bench.run import Run
from realtime.bench.server_load import ServerLoad

QUESTION = Path(__file__).parents[1] / "examples" / "question.wav"
CORE = 0
HEAD = (
    "talking",
    "server",
    "CPU of one core, %",
    "there and back p50, ms",
    "p99, ms",
    "max, ms",
    "first audio after commit p50, ms",
    "p99, ms",
    "answers",
    "with gaps",
    "errors",
    "clients late p99, ms",
)


@dataclass(frozen=True)
class Outcome:
    """What the clients met, and what it cost the server: the share of a core while all talked, and the most
    bytes of memory."""

    figures: Figures
    cpu: float | None
    memory: int


def hold(load: Load, server: Served, processes: int) -> Outcome:
    """Let the clients talk; the beginning, while sessions open, is not counted."""
    load = replace(load, url=socket_url(server.address, "echo"))
    figures = Figures()
    # The process alone: its engine is another part, on another core.
    watch = ServerLoad(metrics_url(load.url), None, server.pid)
    clients = Clients(load, processes)
    try:
        warm_up = load.ramp + 1.0
        seconds = Run(clients, watch, figures, warm_up=warm_up).watch()
        memory = watch.summary()["memory_most"]
    finally:
        clients.close()
        watch.close()
    talking = (each for each in seconds if warm_up + 1.0 <= each["second"] <= load.ramp + load.seconds)
    shares = [each["cpu"] for each in talking if each["cpu"] is not None]
    return Outcome(figures, statistics.fmean(shares) if shares else None, memory)


def row(talking: int, name: str, outcome: Outcome) -> tuple[str, ...]:
    """Of the table."""
    figures = outcome.figures

    def ms(which: str, percent: float) -> str:
        return number(figures.percentile(which, percent), 1, factor=1000)

    return (
        f"{talking}",
        name,
        number(outcome.cpu, factor=100),
        *(ms("round_trip", each) for each in (50, 99, 100)),
        *(ms("commit", each) for each in (50, 99)),
        f"{figures.counts['answers']}",
        f"{figures.counts['dry']}",
        f"{sum(figures.errors.values())}",
        ms("late", 99),
    )


async def idle_memory(address: str, pid: int, sessions: int) -> int:
    """Bytes that so many idle sessions take in the server's process, all together."""
    process = psutil.Process(pid)
    before = process.memory_info().rss
    sockets = [await connect(socket_url(address, "echo"), compression=None) for _ in range(sessions)]
    for each in sockets:
        await each.recv()
    taken = process.memory_info().rss - before
    await asyncio.gather(*(each.close() for each in sockets))
    return taken


def _options(sessions: int) -> tuple[str, ...]:
    """Of a server that takes so many sessions as fast as they come: all clients are one address here."""
    rates = ("--max-handshakes-per-s", "--max-address-handshakes-per-s")
    unlimited = (word for rate in rates for word in (rate, "10000"))
    return ("--model", "echo", "--max-sessions", str(sessions), *unlimited)


def move(process: psutil.Process, cores: list[int]) -> None:
    """Let every thread of a process run on these cores alone."""
    for thread in process.threads():
        os.sched_setaffinity(thread.id, cores)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=__doc__)
    parser.add_argument("--talking", type=int, nargs="+", default=[200])
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--ramp", type=float, default=12.0, help="seconds over which sessions are opened")
    parser.add_argument(
        "--every", type=float, default=12.0, help="seconds between two questions of a session"
    )
    parser.add_argument("--recording", type=Path, default=QUESTION)
    parser.add_argument("--processes", type=int, default=1, help="of clients")
    parser.add_argument("--no-bare", action="store_true", help="the gateway alone, to look into it")
    add_options(parser)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    cores = sorted(os.sched_getaffinity(0))
    others = [core for core in cores if core != CORE] or cores
    os.sched_setaffinity(0, others)
    os.environ["CHROMA_REALTIME_ECHO_PACE"] = "1"
    load = Load(
        url="",
        sessions=0,
        idle=options.idle,
        speeches=(read_speech(options.recording, 0.02),),
        ramp=options.ramp,
        seconds=options.seconds,
        every=options.every,
        interrupts=4,
        probe_s=1.0,
    )
    rows, memory = [], []
    try:
        for talking in options.talking:
            load = replace(load, sessions=talking)
            if not options.no_bare:
                with served((), module=("benchmarks.bare",), core=CORE) as server:
                    rows.append(row(talking, "bare socket", hold(load, server, options.processes)))
            with served(_options(talking + options.idle + 1), module=SERVER, core=CORE) as server:
                for child in psutil.Process(server.pid).children():
                    move(child, others)
                empty = psutil.Process(server.pid).memory_info().rss
                idle = asyncio.run(idle_memory(server.address, server.pid, options.idle))
                outcome = hold(load, server, options.processes)
            rows.append(row(talking, "gateway", outcome))
            memory.append(
                f"Memory of the gateway, {talking} talking: {empty / 1e6:.0f} MB without sessions,"
                f" {idle / max(1, options.idle) / 1e3:.0f} kB an idle session,"
                f" {(outcome.memory - empty - idle) / max(1, talking) / 1e3:.0f} kB more a talking one, its"
                " conversation included."
            )
    except (RuntimeError, OSError, ValueError) as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 1
    report = Report("What one core of gateway bears", "gateway", arguments)
    report.add(
        f"Sessions talking in appends of 20 ms with server_vad, and {options.idle} idle ones,"
        f" {options.seconds:g} s each; the server on one core, clients and engine on {len(others)} other."
    )
    report.add(table(HEAD, rows))
    for each in memory:
        report.add(each)
    report.keep(options, torch.device("cpu"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
