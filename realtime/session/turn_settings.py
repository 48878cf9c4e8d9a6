"""The session's turn detection in the detector's own units."""

from __future__ import annotations

import math
from dataclasses import dataclass

from realtime.protocol.turns import SemanticVad, ServerVad
from realtime.session.turn_detection import SAMPLES_PER_MS, WINDOW, Thresholds


@dataclass(frozen=True, slots=True)
class Discretion:
    """How soon semantic_vad lets go: from which probability on a turn is over, the longest silence it
    bears (as the live service has it), and the silence that ends a turn where nobody can judge."""

    probability: float
    longest_ms: int
    unjudged_ms: int


DISCRETION = {
    "low": Discretion(0.7, 8_000, 1_200),
    "medium": Discretion(0.5, 4_000, 800),
    "auto": Discretion(0.5, 4_000, 800),
    "high": Discretion(0.3, 2_000, 500),
}
_PAUSE_MS = 200
"""Silence after which a judge is asked. Stops within words are shorter."""
_PROBABILITY = 0.5
_PADDING_MS = 300


def thresholds(
    vad: ServerVad | SemanticVad | None, min_speech_ms: int
) -> dict[tuple[bool, bool], Thresholds]:
    """What holds for the next window, by whether an answer is being given, and whether the judge could not
    tell. Made for every case at once: settings change seldom, and windows come thirty times a second."""
    if vad is None:
        return {}
    return {
        (answering, unjudged): _thresholds(vad, min_speech_ms, answering, unjudged)
        for answering in (False, True)
        for unjudged in (False, True)
    }


def _thresholds(
    vad: ServerVad | SemanticVad, min_speech_ms: int, answering: bool, unjudged: bool
) -> Thresholds:
    speech_ms = max(min_speech_ms, (vad.interrupt_after_ms or 0) if answering else 0)
    speech = max(1, math.ceil(speech_ms * SAMPLES_PER_MS / WINDOW))
    if isinstance(vad, ServerVad):
        return Thresholds(
            probability=vad.threshold,
            padding=vad.prefix_padding_ms * SAMPLES_PER_MS,
            silence=vad.silence_duration_ms * SAMPLES_PER_MS,
            speech=speech,
        )
    discretion = DISCRETION[vad.eagerness]
    longest_ms = discretion.unjudged_ms if unjudged else discretion.longest_ms
    return Thresholds(
        probability=_PROBABILITY,
        padding=_PADDING_MS * SAMPLES_PER_MS,
        silence=longest_ms * SAMPLES_PER_MS,
        speech=speech,
        pause=_PAUSE_MS * SAMPLES_PER_MS,
    )
