"""Skills: numbers and simple sums, days and months."""

from __future__ import annotations

import random

from training.world.exchange import Exchange
from training.world.numbers import sentence, spoken
from training.world.phrasing import phrase
from training.world.words import DAYS, MONTH_LENGTHS, MONTHS, ORDINALS, SEASONS

_PLUS = (
    "what is {a} plus {b}", "how much is {a} plus {b}", "add {a} and {b}", "calculate {a} plus {b}",
    "what is the sum of {a} and {b}", "{a} plus {b}",
)  # fmt: skip
_MINUS = (
    "what is {a} minus {b}", "how much is {a} minus {b}", "subtract {b} from {a}", "calculate {a} minus {b}",
    "take {b} away from {a}", "{a} minus {b}",
)  # fmt: skip
_TIMES = (
    "what is {a} times {b}", "how much is {a} times {b}", "multiply {a} by {b}", "calculate {a} times {b}",
    "{a} times {b}",
)  # fmt: skip
_AFTER = ("what comes after {a}", "what number comes after {a}", "which number follows {a}")
_BEFORE = ("what comes before {a}", "what number comes before {a}")
_COUNT = ("count to {a}", "can you count to {a}", "count up to {a}", "count from one to {a}")
_COUNT_FROM = ("count from {a} to {b}", "can you count from {a} to {b}")
_DOWN = ("count down from {a}", "count backwards from {a}")
_DAY_AFTER = ("what day comes after {a}", "which day comes after {a}", "what day follows {a}")
_DAY_BEFORE = ("what day comes before {a}", "which day is before {a}")
_MONTH_AFTER = ("what month comes after {a}", "which month comes after {a}", "what month follows {a}")
_MONTH_BEFORE = ("what month comes before {a}", "which month is before {a}")
_MONTH_LENGTH = ("how many days are in {a}", "how many days does {a} have", "how long is {a}")
_NTH = ("what is the {a} month of the year", "which month is the {a} one", "what is the {a} month")
_COUNTS = "count", "from", "down"
_FACTS = {
    ("how many days are in a week", "how many days does a week have"): "A week has seven days.",
    ("how many months are in a year", "how many months does a year have"): "A year has twelve months.",
    ("how many days are in a year", "how many days does a year have"): "A year has about three hundred and"
    " sixty five days.",
    ("how many hours are in a day", "how many hours does a day have"): "A day has twenty four hours.",
    ("how many minutes are in an hour", "how many minutes does an hour have"): "An hour has sixty minutes.",
    ("name the days of the week", "what are the days of the week"): ", ".join(DAYS) + ".",
    ("name the seasons", "what are the seasons"): sentence(", ".join(SEASONS)) + ".",
}


def sums(rng: random.Random, held_out: bool) -> Exchange:
    """Plus, minus and times up to ten."""
    sign = rng.choices(("plus", "minus", "times"), (4, 3, 2))[0]
    cores: tuple[str, ...]
    if sign == "times":
        a, b = rng.randint(0, 10), rng.randint(0, 10)
        cores, result = _TIMES, a * b
    elif sign == "minus":
        a = rng.randint(0, 10)
        b = rng.randint(0, a)
        cores, result = _MINUS, a - b
    else:
        a, b = rng.randint(0, 10), rng.randint(0, 10)
        cores, result = _PLUS, a + b
    user = phrase(rng, cores, held_out=held_out).format(a=spoken(a), b=spoken(b))
    answer = f"{sentence(spoken(a))} {sign} {spoken(b)} is {spoken(result)}."
    return Exchange("sums", user, answer)


def numbers(rng: random.Random, held_out: bool) -> Exchange:
    """Counting, and the neighbours of a number."""
    way = rng.choice(("after", "before", "count", "from", "down"))
    return _counted(rng, held_out, way) if way in _COUNTS else _neighbour(rng, held_out, way)


def neighbours(rng: random.Random, held_out: bool) -> Exchange:
    """The neighbours of a number alone."""
    return _neighbour(rng, held_out, rng.choice(("after", "before")))


def _neighbour(rng: random.Random, held_out: bool, way: str) -> Exchange:
    if way == "after":
        a = rng.randint(0, 20)
        user = phrase(rng, _AFTER, held_out=held_out).format(a=spoken(a))
        return Exchange("numbers", user, f"{sentence(spoken(a + 1))} comes after {spoken(a)}.")
    a = rng.randint(1, 20)
    user = phrase(rng, _BEFORE, held_out=held_out).format(a=spoken(a))
    return Exchange("numbers", user, f"{sentence(spoken(a - 1))} comes before {spoken(a)}.")


def counted(rng: random.Random, held_out: bool) -> Exchange:
    """Counting alone: where to stop takes long to learn, most of all where it does not begin at one."""
    return _counted(rng, held_out, rng.choice((*_COUNTS, "from")))


def _counted(rng: random.Random, held_out: bool, way: str) -> Exchange:
    if way == "count":
        a, b = 1, rng.randint(2, 12)
        user = phrase(rng, _COUNT, held_out=held_out).format(a=spoken(b))
    elif way == "from":
        a = rng.randint(1, 12)
        b = a + rng.randint(2, 8)
        user = phrase(rng, _COUNT_FROM, held_out=held_out).format(a=spoken(a), b=spoken(b))
    else:
        a, b = rng.randint(3, 10), 0
        user = phrase(rng, _DOWN, held_out=held_out).format(a=spoken(a))
    step = 1 if b > a else -1
    told = ", ".join(spoken(number) for number in range(a, b + step, step))
    return Exchange("numbers", user, f"{sentence(told)}.")


def calendar(rng: random.Random, held_out: bool) -> Exchange:
    """Days and months: their order, their lengths, and a few facts."""
    way = rng.choice(("day after", "day before", "month after", "month before", "length", "nth", "fact"))
    cores: tuple[str, ...]
    if way == "fact":
        cores, answer = rng.choice(list(_FACTS.items()))
        return Exchange("calendar", phrase(rng, cores, held_out=held_out), answer)
    if way.startswith("day"):
        index, names = rng.randrange(7), DAYS
        cores = _DAY_AFTER if way == "day after" else _DAY_BEFORE
    else:
        index, names = rng.randrange(12), MONTHS
        cores = _MONTH_AFTER if way == "month after" else _MONTH_BEFORE
    name = names[index]
    if way == "length":
        user = phrase(rng, _MONTH_LENGTH, held_out=held_out).format(a=name.lower())
        return Exchange("calendar", user, f"{name} has {spoken(MONTH_LENGTHS[index])} days.")
    if way == "nth":
        user = phrase(rng, _NTH, held_out=held_out).format(a=ORDINALS[index])
        return Exchange("calendar", user, f"The {ORDINALS[index]} month is {name}.")
    step = 1 if way.endswith("after") else -1
    other = names[(index + step) % len(names)]
    user = phrase(rng, cores, held_out=held_out).format(a=name.lower())
    return Exchange("calendar", user, f"{other} comes {way.split()[1]} {name}.")
