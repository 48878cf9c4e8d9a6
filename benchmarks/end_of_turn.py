"""Who judges best and soonest that a turn is over: `python benchmarks/end_of_turn.py`.

Latency of both judges on this machine's CPU, and verdicts of Smart Turn on sentences of espeak-ng, whole and
broken off. espeak's intonation is not a person's: what it shows is a lower bound. The Reasoner of a random
checkpoint has no judgement to measure; its cost is that of reading the turn once.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr

from engine import Audio, EngineSettings
from realtime.audio.turn_model import TurnModel

ROOT = Path(__file__).parents[1]
VOICES = ("en-us", "en-gb", "en-us+f3", "en-gb+m3")
SENTENCES = (
    "I would like to book a table for two people tonight",
    "Could you tell me what the weather will be tomorrow",
    "My name is Ada and I live in a small town by the sea",
    "Please send the letter to the office in the morning",
    "The train to the north leaves at half past seven",
    "I have been thinking about the question you asked me yesterday",
    "Can we move the meeting from Monday to Thursday afternoon",
    "Turn on the light in the kitchen and close the window",
    "She said that the answer was easier than everybody thought",
    "How many days are there until the end of the year",
    "I need a cable that is long enough to reach the other room",
    "Tell me a story about a dog who learned to sing",
    "We have two cats and a parrot who talks all day long",
    "Where can I find the keys that I left on the table",
    "It would be nice to hear some music while we cook dinner",
)
PAUSE = np.zeros(4_800, np.int16)
"""200 ms, after which semantic_vad asks."""


def speak(text: str, voice: str) -> np.ndarray:
    """int16 [samples] at 24 kHz, without the silence that espeak leaves at the end."""
    wav = subprocess.run(["espeak-ng", "-v", voice, "--stdout", text], capture_output=True, check=True).stdout
    sound, rate = soundfile.read(io.BytesIO(wav), dtype="float32")
    loud = np.flatnonzero(np.abs(sound) > 0.01)
    sound = soxr.resample(sound[: loud[-1] + 1], rate, 24_000)
    return (np.clip(sound, -1, 1) * 32767).astype(np.int16)


def verdicts(model: TurnModel) -> tuple[list[float], list[float]]:
    """Probabilities for whole sentences, and for the same broken off after three fifths of their sound, so
    that the voice has not fallen yet."""
    whole, broken = [], []
    for sentence in SENTENCES:
        for voice in VOICES:
            sound = speak(f"{sentence}.", voice)
            whole.append(model.judge(np.concatenate((sound, PAUSE)).tobytes()))
            broken.append(model.judge(np.concatenate((sound[: len(sound) * 3 // 5], PAUSE)).tobytes()))
    return whole, broken


def latency(judge: Callable[[bytes], float], seconds: float, rounds: int) -> tuple[float, float]:
    """Median and 90th percentile in ms of judging a turn of this length."""
    noise = np.random.default_rng(0).normal(0, 2000, int(seconds * 24_000)).astype(np.int16).tobytes()
    judge(noise)
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        judge(noise)
        times.append((time.perf_counter() - begun) * 1000)
    return statistics.median(times), sorted(times)[int(len(times) * 0.9)]


def engine_judge(folder: str) -> Callable[[bytes], float]:
    """The Reasoner of a checkpoint."""
    from engine.chroma.engine import ChromaEngine

    engine = ChromaEngine(EngineSettings(model=folder, device="cpu"))
    loop = asyncio.new_event_loop()
    loop.run_until_complete(engine.open())
    return lambda pcm: loop.run_until_complete(engine.turn_over(Audio("pause", pcm)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=str(ROOT / "tests" / "data" / "golden"))
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    try:
        model = TurnModel()
    except FileNotFoundError as error:
        print(f"end_of_turn: {error}", file=sys.stderr)
        return 1
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    for name, judge in (("Smart Turn v3.2", model.judge), ("Reasoner", engine_judge(options.model))):
        for seconds in (1, 4, 8):
            median, slow = latency(judge, seconds, options.rounds)
            print(f"{name}, {seconds} s: median {median:.1f} ms, 90th percentile {slow:.1f} ms")
    if not shutil.which("espeak-ng"):
        print("no espeak-ng (apt install espeak-ng): verdicts are not measured", file=sys.stderr)
        return 0
    whole, broken = verdicts(model)
    print(f"{len(whole)} whole sentences, {len(broken)} broken off, of espeak-ng")
    for threshold in (0.3, 0.5, 0.7):
        found = sum(p >= threshold for p in whole) / len(whole)
        cut = sum(p >= threshold for p in broken) / len(broken)
        print(f"threshold {threshold}: {found:.0%} of whole ones are over, {cut:.0%} of broken ones are")
    return 0


if __name__ == "__main__":
    sys.exit(main())
