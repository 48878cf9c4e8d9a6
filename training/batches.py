"""Rows in batches of like length, so that little is padded."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import TypeVar

Row = TypeVar("Row")


def batches(
    rng: random.Random, draw: Callable[[], Row], length: Callable[[Row], int], *, most: int, pool: int
) -> Iterator[list[Row]]:
    """Batches for ever, about `most` positions each with their padding, out of `pool` rows at a time."""
    while True:
        made: list[list[Row]] = [[]]
        for row in sorted((draw() for _ in range(pool)), key=length):
            if made[-1] and length(row) * (len(made[-1]) + 1) > most:
                made.append([])
            made[-1].append(row)
        rng.shuffle(made)
        yield from made
