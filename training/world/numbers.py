"""Numbers 0 to 100 as words."""

from __future__ import annotations

from training.world.words import NUMBERS, TENS

LARGEST = 100


def spoken(number: int) -> str:
    """`42` to `forty two`. Raises ValueError outside 0 to 100."""
    if not 0 <= number <= LARGEST:
        raise ValueError(f"{number} is not in 0 to {LARGEST}")
    if number == LARGEST:
        return "one hundred"
    if number < len(NUMBERS):
        return NUMBERS[number]
    tens, ones = divmod(number, 10)
    return TENS[tens - 2] + (f" {NUMBERS[ones]}" if ones else "")


def sentence(text: str) -> str:
    """The first letter large."""
    return text[:1].upper() + text[1:]
