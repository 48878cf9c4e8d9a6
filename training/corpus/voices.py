"""espeak-ng's voices: those that ask nano questions, and those that nano itself speaks with."""

from __future__ import annotations

import random
from dataclasses import dataclass

_ACCENTS = (
    "en-us",
    "en-us",
    "en",
    "en-gb-x-rp",
    "en-gb-scotland",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",
)
_VARIANTS = (
    "", "m1", "m2", "m3", "m4", "m5", "m7", "f1", "f3", "f5", "Adam", "Alex", "Alicia", "Andrea", "Antonio",
    "Auntie", "Belinda", "Benjamin", "Caleb", "David", "Ed", "Edward", "Gene", "Henrique", "Hugo", "Jacky",
    "Linda", "Max", "Michael", "Mike", "Paul", "Rob", "Robert", "Steph", "Zac", "grandpa", "klatt", "klatt2",
    "anika", "travis", "victor", "shelby",
)  # fmt: skip
_HELD_OUT_VARIANTS = (
    "f2",
    "f4",
    "m6",
    "m8",
    "Andy",
    "Annie",
    "Lee",
    "John",
    "Mario",
    "Steph2",
    "grandma",
    "Diogo",
)


@dataclass(frozen=True, slots=True)
class EspeakVoice:
    """How espeak-ng is asked to speak. `speed` in words a minute, `pitch` 0 to 99."""

    name: str
    speed: int
    pitch: int


OWN_VOICES = {
    "river": EspeakVoice("en-us", 150, 38),
    "ember": EspeakVoice("en-us+f3", 150, 55),
    "wren": EspeakVoice("en", 150, 80),
    "slate": EspeakVoice("en", 150, 15),
}
"""Voices that nano learns to speak with; the first three, which are furthest apart, ship as references."""


def asking_voice(rng: random.Random, *, held_out: bool) -> EspeakVoice:
    """A voice of somebody who asks; a held-out one is never trained on, and speaks at speeds between."""
    variant = rng.choice(_HELD_OUT_VARIANTS if held_out else _VARIANTS)
    name = rng.choice(_ACCENTS) + (f"+{variant}" if variant else "")
    return EspeakVoice(name, rng.randint(125, 195), rng.randint(25, 75))
