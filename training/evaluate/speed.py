"""How fast it is: seconds of work for a second of speech, and how long until the first of it is heard."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np
import torch

from engine.api import SAMPLE_RATE
from training.evaluate.nano import Nano
from training.evaluate.questions import Spoken
from training.evaluate.turns import in_sound, offered, up_to

_WHOLE_ON, _FIRST_ON = 1, 2
"""Threads for whole answers, and for the first sound."""
_SILENCE = 6400


def speed(nano: Nano, spoken: Spoken, count: int) -> dict[str, Any]:
    """Medians over the first questions of `count` conversations, spoken: hearing, text, speech, codec.

    Figures hold only for a machine that does nothing else; `load` tells how busy it was.
    """
    before = torch.get_num_threads()
    try:
        factors = [factor for _, factor in _answers(nano, spoken, count, _WHOLE_ON)]
        latencies = [latency for latency, _ in _answers(nano, spoken, count, _FIRST_ON)]
    finally:
        torch.set_num_threads(before)
    return {
        "n": len(factors),
        "real-time factor": float(np.median(factors)) if factors else None,
        "real-time factor, worst": max(factors, default=None),
        "first sound, ms": 1000 * float(np.median(latencies)) if latencies else None,
        "threads": {"real-time factor": _WHOLE_ON, "first sound": _FIRST_ON},
        "load": os.getloadavg()[0],
        "cores": os.cpu_count(),
    }


def _answers(nano: Nano, spoken: Spoken, count: int, threads: int) -> list[tuple[float, float]]:
    """Seconds until the first sound, and seconds of work for a second of speech, of each answer."""
    torch.set_num_threads(threads)
    voice = next(iter(nano.voices))
    measured = []
    for index, conversation in enumerate(spoken.conversations[: count + 1]):
        begun = time.perf_counter()
        heard = {"0": nano.chroma.hearing.hear(np.pad(spoken.sounds[index][0], _SILENCE))}
        hearing = time.perf_counter() - begun
        messages = up_to(conversation, 0, in_sound(conversation))
        answer = nano.answer(messages, heard, offered(conversation), voice=voice, seed=index)
        # The first one warms up; a call says nothing.
        if index and answer.first_sound is not None:
            seconds = len(answer.sound) / SAMPLE_RATE
            measured.append((hearing + answer.first_sound, (hearing + answer.seconds) / seconds))
    return measured
