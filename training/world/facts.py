"""Skills: colours, opposites, animals, capitals, spelling, repeating, jokes."""

from __future__ import annotations

import random

from training.world.exchange import Exchange
from training.world.numbers import sentence
from training.world.phrasing import phrase
from training.world.words import (
    ANIMAL_SOUNDS,
    CAPITALS,
    COLOUR_OF,
    JOKE_LINES,
    MIXES,
    OPPOSITES,
    REPEATABLE,
    SPELLABLE,
)

_COLOUR = (
    "what colour is {a}",
    "which colour is {a}",
    "tell me the colour of {a}",
    "what is the colour of {a}",
)
_MIX = ("mix {a} and {b}", "what do {a} and {b} make", "what happens when i mix {a} and {b}")
_OPPOSITE = ("what is the opposite of {a}", "tell me the opposite of {a}", "what is the reverse of {a}")
_ANIMAL = ("what does a {a} say", "what sound does a {a} make", "how does a {a} sound")
_CAPITAL = ("what is the capital of {a}", "tell me the capital of {a}", "which city is the capital of {a}")
_SPELL = (
    "spell {a}",
    "spell the word {a}",
    "how do you spell {a}",
    "can you spell {a}",
    "how is {a} spelled",
)
_REPEAT = ("repeat after me {a}", "say {a}", "repeat {a}", "please say {a}", "say after me {a}")
_JOKE = (
    "tell me a joke",
    "do you know a joke",
    "make me laugh",
    "say something funny",
    "i want to hear a joke",
)
_LETTER_NAMES = "can you say the alphabet", "say the alphabet", "tell me the alphabet"


def colours(rng: random.Random, held_out: bool) -> Exchange:
    """What colour a thing has, and what two colours make."""
    if rng.random() < 0.25:
        (a, b), mixed = rng.choice(list(MIXES.items()))
        if rng.random() < 0.5:
            a, b = b, a
        user = phrase(rng, _MIX, held_out=held_out).format(a=a, b=b)
        return Exchange("colours", user, f"{sentence(a)} and {b} make {mixed}.")
    thing, colour = rng.choice(list(COLOUR_OF.items()))
    user = phrase(rng, _COLOUR, held_out=held_out).format(a=thing)
    return Exchange("colours", user, f"{sentence(thing)} is {colour}.")


def facts(rng: random.Random, held_out: bool) -> Exchange:
    """Opposites, animals and capitals."""
    way = rng.choice(("opposite", "animal", "capital"))
    if way == "opposite":
        pair = rng.choice(OPPOSITES)
        a, b = pair if rng.random() < 0.5 else pair[::-1]
        user = phrase(rng, _OPPOSITE, held_out=held_out).format(a=a)
        return Exchange("facts", user, f"The opposite of {a} is {b}.")
    if way == "animal":
        animal, sound = rng.choice(list(ANIMAL_SOUNDS.items()))
        user = phrase(rng, _ANIMAL, held_out=held_out).format(a=animal)
        return Exchange("facts", user.replace("a owl", "an owl"), f"The {animal} says {sound}.")
    country, city = rng.choice(list(CAPITALS.items()))
    user = phrase(rng, _CAPITAL, held_out=held_out).format(a=country.lower())
    return Exchange("facts", user, f"The capital of {country} is {city}.")


def spelled(word: str) -> str:
    """`cat` to `C, A, T`."""
    return ", ".join(word.upper())


def spelling(rng: random.Random, held_out: bool) -> Exchange:
    """A word letter by letter."""
    if rng.random() < 0.03:
        return Exchange(
            "spelling",
            phrase(rng, _LETTER_NAMES, held_out=held_out),
            spelled("abcdefghijklmnopqrstuvwxyz") + ".",
        )
    word = rng.choice(SPELLABLE)
    user = phrase(rng, _SPELL, held_out=held_out).format(a=word)
    return Exchange("spelling", user, f"{sentence(word)}: {spelled(word)}.")


def repeating(rng: random.Random, held_out: bool) -> Exchange:
    """One word said back."""
    word = rng.choice(REPEATABLE)
    while True:
        wording = phrase(rng, _REPEAT, held_out=held_out)
        if wording.endswith("{a}"):
            # As they were heard, token for token: copying is what there is to learn here, not spelling.
            return Exchange("repeating", wording.format(a=word), f" {word}.")


def jokes(rng: random.Random, held_out: bool) -> Exchange:
    """The first joke; those that follow are what "another one" brings out."""
    return Exchange("jokes", phrase(rng, _JOKE, held_out=held_out), JOKE_LINES[0], JOKE_LINES[1:])
