"""Does a server leak? `python -m benchmarks.soak [--seconds 3600] [--sessions 100] [--model echo]`.

Conversations at real-time pace by `chroma-realtime bench`, in rounds: everybody comes, talks, is interrupted
now and then, and leaves. After each round, when nobody is there, memory and descriptors of the server and its
engine's process are read. The first rounds warm it up; after them the last third may be 5 % above the first.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from benchmarks.report import Report, add_options

ROOT = Path(__file__).parents[1]
SPEECH = ROOT / "tests" / "data" / "speech" / "question.wav"
MOST_GROWTH = 0.05
_COMMAND = [sys.executable, "-m", "realtime.server.cli"]
_QUIET_S = 30.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The server with all its processes, nobody being there: MiB of main memory, and open descriptors; and
    what happened in the round before."""

    seconds: float
    memory: float
    descriptors: int
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Talking:
    """What happens in a round: so many sessions, for so long, a question of each every so many seconds, sound
    in appends of so many milliseconds."""

    sessions: int
    seconds: float = 60.0
    every: float = 6.0
    append_ms: int = 20


def growth(values: Sequence[float]) -> float:
    """By how much the last third's median is above the first third's."""
    third = max(1, len(values) // 3)
    first, last = statistics.median(values[:third]), statistics.median(values[-third:])
    return last / first - 1


def read(server: psutil.Process, began: float, counts: dict[str, int]) -> Reading:
    family = [server, *server.children(recursive=True)]
    memory = sum(process.memory_info().rss for process in family) / 2**20
    descriptors = sum(process.num_fds() for process in family)
    return Reading(time.monotonic() - began, memory, descriptors, counts)


@contextmanager
def served(model: str, sessions: int) -> Iterator[tuple[psutil.Process, str]]:
    """`chroma-realtime serve` on a free port: its process and its base URL."""
    command = [*_COMMAND, "serve", "--model", model, "--port", "0", "--max-sessions", str(2 * sessions)]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stderr=log, cwd=ROOT)
        try:
            yield psutil.Process(process.pid), _ready(process, log)
        finally:
            process.terminate()
            process.wait(60)


def _ready(process: subprocess.Popen[bytes], log: object) -> str:
    while process.poll() is None:
        time.sleep(0.1)
        log.seek(0)  # type: ignore[attr-defined]
        if found := re.search(r"Ready: (ws://\S+?)/v1/realtime ", log.read()):  # type: ignore[attr-defined]
            return found[1]
    raise SystemExit("soak: the server ended before it was ready")


def talk(url: str, talking: Talking, folder: Path) -> dict[str, int]:
    """One round; returns the counts of `chroma-realtime bench`."""
    kept = folder / "round.json"
    options = {
        "--sessions": talking.sessions,
        "--seconds": talking.seconds,
        "--every": talking.every,
        "--append-ms": talking.append_ms,
        "--json": kept,
    }
    words = [str(word) for option in options.items() for word in option]
    command = [*_COMMAND, "bench", url, str(SPEECH), *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise SystemExit(f"soak: bench failed: {done.stderr.strip()}")
    counts: dict[str, int] = json.loads(kept.read_text())["counts"]
    return counts


def until_empty(url: str) -> None:
    """Waits for the last session to be gone."""
    end = time.monotonic() + _QUIET_S
    while time.monotonic() < end:
        with urllib.request.urlopen(f"{url.replace('ws', 'http', 1)}/ready") as answer:
            if json.load(answer)["sessions"] == 0:
                return
        time.sleep(0.2)
    raise SystemExit("soak: sessions are left that nobody holds")


def soak(model: str, talking: Talking, seconds: float, warm_up: int) -> list[Reading]:
    """Rounds until the time is over; prints each, and returns the readings after the warm-up."""
    readings: list[Reading] = []
    with served(model, talking.sessions) as (server, url), tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        while time.monotonic() - began < seconds or len(readings) < warm_up + 3:
            counts = talk(url, talking, Path(folder))
            until_empty(url)
            readings.append(read(server, began, counts))
            now = readings[-1]
            held = f"{now.memory:7.1f} MiB  {now.descriptors:4d} descriptors"
            print(f"{now.seconds:6.0f} s  {held}  {now.counts}", flush=True)
    return readings[warm_up:]


def grown(readings: Sequence[Reading]) -> dict[str, float]:
    """What is to stay as it is, and by how much it grew."""
    return {
        "memory": growth([one.memory for one in readings]),
        "descriptors": growth([one.descriptors for one in readings]),
    }


def told(talking: Talking, readings: Sequence[Reading]) -> str:
    """A run in a few lines, its warm-up left out."""
    memory = [one.memory for one in readings]
    counts: Counter[str] = Counter()
    for one in readings:
        counts.update(one.counts)
    most = max(one.descriptors for one in readings)
    growths = ", ".join(f"{name} {share:+.1%}" for name, share in grown(readings).items())
    said = (
        f"{counts['opened']} sessions, {counts['questions']} questions, {counts['answers']} answers,"
        f" {counts['dry']} of them with gaps, {counts['silent']} times no sound"
    )
    return (
        f"{talking.sessions} sessions of {talking.seconds:g} s with a question each {talking.every:g} s and"
        f" appends of {talking.append_ms} ms, {len(readings)} times over, until {readings[-1].seconds:.0f} s:"
        f" {said}. With nobody there, the server and its engine held {min(memory):.0f} to {max(memory):.0f}"
        f" MiB and at most {most} descriptors; from the first third to the last: {growths}."
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Does a server leak?")
    parser.add_argument("--model", default="echo")
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--round", type=float, default=60.0, help="seconds that everybody talks")
    parser.add_argument("--every", type=float, default=6.0, help="seconds between two questions of a session")
    parser.add_argument("--append-ms", type=int, default=20, help="sound of one append")
    parser.add_argument("--warm-up", type=int, default=2, help="rounds that are not counted")
    add_options(parser)
    options = parser.parse_args()
    talking = Talking(options.sessions, options.round, options.every, options.append_ms)
    readings = soak(options.model, talking, options.seconds, options.warm_up)
    report = Report(f"A soak of {options.model}", "soak", sys.argv[1:])
    report.add(told(talking, readings))
    report.keep(options, torch.device("cpu"))
    return 0 if all(share <= MOST_GROWTH for share in grown(readings).values()) else 1


if __name__ == "__main__":
    sys.exit(main())
