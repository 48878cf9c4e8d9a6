"""Word error rate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation: `O'clock, A.` to `o'clock a`."""
    return re.findall(r"[a-z]+(?:'[a-z]+)*", text.lower())


def errors(wanted: Sequence[str], got: Sequence[str]) -> int:
    """Fewest words to put in, take out or change that make one of the other (Levenshtein)."""
    row = list(range(len(got) + 1))
    for index, word in enumerate(wanted, 1):
        corner, row[0] = row[0], index
        for column, other in enumerate(got, 1):
            corner, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, corner + (word != other)),
            )
    return row[-1]


def error_rate(pairs: Iterable[tuple[Sequence[str], Sequence[str]]]) -> float:
    """Errors over the words wanted, all sentences together; `pairs` are (wanted, got)."""
    wrong = total = 0
    for wanted, got in pairs:
        wrong += errors(wanted, got)
        total += len(wanted)
    return wrong / max(1, total)
