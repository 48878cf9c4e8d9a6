"""Whether nano speaks in the voice that it is given: which reference is an answer most like?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from training.evaluate.nano import Nano
from training.evaluate.speech import Utterance
from training.evaluate.voiceprint import Voiceprint, voiceprint

MEASURES = ("both", "pitch", "spectrum")


def voice_match(nano: Nano, made: Sequence[Utterance]) -> dict[str, Any]:
    """Of nano's answers and of espeak-ng's, how many are most like the reference that they should be like.

    Pitch is compared in octaves, spectra by the distance of mean cepstra; together they count in shares of
    how far apart the references are by each.
    """
    references = {name: voiceprint(voice.load()) for name, voice in nano.voices.items()}
    matcher = Matcher(references)
    prints = [(each.voice, voiceprint(each.nano), voiceprint(each.espeak)) for each in made]
    voices: dict[str, dict[str, Any]] = {}
    for name, reference in references.items():
        own = [(of_nano, of_espeak) for voice, of_nano, of_espeak in prints if voice == name]
        voices[name] = {
            "n": len(own),
            "reference pitch": reference.pitch,
            "nano pitch": _median([of_nano.pitch for of_nano, _ in own]),
            "espeak pitch": _median([of_espeak.pitch for _, of_espeak in own]),
            "nano": _right(matcher, name, [of_nano for of_nano, _ in own]),
            "espeak": _right(matcher, name, [of_espeak for _, of_espeak in own]),
        }
    total = {
        who: {each: sum(voice[who][each] for voice in voices.values()) for each in MEASURES}
        for who in ("nano", "espeak")
    }
    return {"n": len(prints), "chance": 1 / max(1, len(references)), **total, "voices": voices}


class Matcher:
    """Finds the reference that a sound is most like."""

    def __init__(self, references: Mapping[str, Voiceprint]) -> None:
        self._references = references
        pairs = list(combinations(references.values(), 2))
        self._octaves = _mean([_octaves(one, other) for one, other in pairs])
        self._cepstra = _mean([_cepstra(one, other) for one, other in pairs])

    def nearest(self, print_: Voiceprint, measure: str) -> str:
        """Name of the reference nearest by `pitch`, `spectrum` or `both`."""

        def distance(reference: Voiceprint) -> float:
            octaves = _octaves(print_, reference) / self._octaves
            cepstra = _cepstra(print_, reference) / self._cepstra
            return {"pitch": octaves, "spectrum": cepstra, "both": octaves + cepstra}[measure]

        return min(self._references, key=lambda name: distance(self._references[name]))


def _right(matcher: Matcher, voice: str, prints: list[Voiceprint]) -> dict[str, int]:
    return {each: sum(matcher.nearest(one, each) == voice for one in prints) for each in MEASURES}


def _octaves(one: Voiceprint, other: Voiceprint) -> float:
    """Nothing voiced is far from all."""
    if math.isnan(one.pitch) or math.isnan(other.pitch):
        return 10.0
    return abs(math.log2(one.pitch / other.pitch))


def _cepstra(one: Voiceprint, other: Voiceprint) -> float:
    return float(np.linalg.norm(one.envelope - other.envelope))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 1.0


def _median(values: Sequence[float]) -> float:
    found = [value for value in values if not math.isnan(value)]
    return float(np.median(found)) if found else math.nan
