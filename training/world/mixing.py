"""Sentences whose words stand where nobody says them: what is likely there tells nothing about them."""

from __future__ import annotations

import random
from collections.abc import Iterable

_EXCHANGED = 0.3


class Mixer:
    """Changes sentences; `said` has all the words that may come."""

    def __init__(self, said: Iterable[str]) -> None:
        self._words = sorted({word for text in said for word in text.split()})

    def __call__(self, rng: random.Random, text: str, most: int) -> str:
        """`text` with some words exchanged for any others, or up to `most` any words; in one of three it
        stays as it is."""
        way = rng.random()
        if way < 0.4:
            words = text.split()
            return " ".join(rng.choice(self._words) if rng.random() < _EXCHANGED else word for word in words)
        if way < 0.65:
            return " ".join(rng.choices(self._words, k=rng.randint(1, most)))
        return text
