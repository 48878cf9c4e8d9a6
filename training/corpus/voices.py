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
    "", "m1", "m2", "m3", "m4", "m5", "m7", "f1", "f3", "f5", "adam", "Alex", "Alicia", "Andrea", "antonio",
    "aunty", "belinda", "benjamin", "caleb", "david", "ed", "edward", "Gene", "Henrique", "Hugo", "Jacky",
    "linda", "max", "Michael", "Mike", "paul", "rob", "robert", "steph", "zac", "grandpa", "klatt", "klatt2",
    "anika", "travis", "victor", "shelby",
)  # fmt: skip
_HELD_OUT_VARIANTS = (
    "f2", "f4", "m6", "m8", "Andy", "Annie", "Lee", "john", "Mario", "steph2", "grandma", "Diogo",
)  # fmt: skip
MADE_VARIANTS = tuple(f"made{index}" for index in range(200))
"""Speakers that only training has: see `made_variant`."""
_MADE_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class EspeakVoice:
    """How espeak-ng is asked to speak. `speed` in words a minute, `pitch` 0 to 99."""

    name: str
    speed: int
    pitch: int


OWN_VOICES = {
    "river": EspeakVoice("en-us", 150, 38),
    "ember": EspeakVoice("en-us+Annie", 150, 50),
    "wren": EspeakVoice("en", 150, 80),
    "slate": EspeakVoice("en", 150, 15),
}
"""Voices that nano learns to speak with; the first three, which are furthest apart, ship as references."""


def asking_voice(rng: random.Random, *, held_out: bool) -> EspeakVoice:
    """A voice of somebody who asks; a held-out one is never trained on, and speaks at speeds between."""
    variants: tuple[str, ...]
    if held_out:
        variants, speeds, pitches = _HELD_OUT_VARIANTS, (125, 195), (25, 75)
    else:
        made = rng.random() < _MADE_SHARE
        variants, speeds, pitches = MADE_VARIANTS if made else _VARIANTS, (115, 205), (15, 85)
    variant = rng.choice(variants)
    name = rng.choice(_ACCENTS) + (f"+{variant}" if variant else "")
    return EspeakVoice(name, rng.randint(*speeds), rng.randint(*pitches))


def made_variant(name: str) -> str:
    """A speaker at random, always the same for a name, as a file of espeak-ng's: a throat of another size
    and shape, another larynx. Its own forty speakers alone are too few to learn from what a voice may be."""
    rng = random.Random(name)

    def some(low: int, high: int) -> int:
        return rng.randint(low, high)

    base, size = some(60, 230), rng.uniform(0.84, 1.22)
    lines = ["language variant", f"name {name}", f"pitch {base} {round(base * rng.uniform(1.1, 1.9))}"]
    lines.append(f"formant 0 {some(80, 108)} {some(80, 200)} {some(80, 150)}")
    for formant in (1, 2, 3):
        place = round(100 * size * rng.uniform(0.93, 1.07))
        height = some(0, 60) if formant == 3 and rng.random() < 0.15 else some(55, 150)
        lines.append(f"formant {formant} {place} {height} {some(60, 160)}")
    high = rng.random() < 0.8
    for formant in range(4, 9):
        place = round(100 * size * rng.uniform(0.85, 1.15)) if high else some(0, 130)
        lines.append(f"formant {formant} {place} {some(0, 130)} {some(50, 150)}")
    extras = {
        0.5: f"flutter {some(0, 20)}",
        0.3: f"roughness {some(0, 5)}",
        0.45: f"voicing {some(30, 135)}",
        0.55: f"consonants {some(40, 130)} {some(40, 130)}",
        0.25: f"echo {some(10, 200)} {some(5, 25)}",
        0.2: "breath 0 2 3 3 3 3 3 2",
        0.35: f"tone 100 255 600 {some(60, 200)} 1200 {some(20, 160)}"
        f" 2000 {some(60, 160)} 3000 {some(10, 120)}",
        0.4: f"intonation {some(1, 4)}",
        0.32: f"klatt {some(1, 6)}",
        0.21: "stressAdd 0 0 -10 -10 0 0 10 " + str(some(0, 200)),
        0.22: "stressAmp 20 18 20 20 20 22 22 22",
    }
    lines += [line for share, line in extras.items() if rng.random() < share]
    return "\n".join(lines) + "\n"
