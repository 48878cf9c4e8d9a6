"""Conversations: questions of all skills, and the follow-ups that only make sense with a history."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from training.world import counting, facts, smalltalk, tools
from training.world.exchange import Conversation, Exchange
from training.world.phrasing import phrase

Skill = Callable[[random.Random, bool], Exchange]

SKILLS: dict[Skill, int] = {
    counting.sums: 12,
    counting.numbers: 10,
    counting.calendar: 9,
    facts.colours: 6,
    facts.facts: 9,
    facts.spelling: 9,
    facts.repeating: 12,
    facts.jokes: 2,
    smalltalk.greetings: 9,
    smalltalk.personal: 6,
    smalltalk.itself: 9,
    smalltalk.unknown: 12,
}
_MORE = ("tell me more", "more", "can you tell me more", "go on", "what else", "tell me more about that")
_SLOWER = ("slower", "say that slower", "can you say that slower", "speak slower", "more slowly")
_AGAIN = (
    "again",
    "say that again",
    "repeat that",
    "can you repeat that",
    "pardon",
    "what did you say",
    "what",
)
_ANOTHER = ("another one", "tell me another one", "another joke", "one more", "tell me another joke")
NOTHING_SAID = "I have not said anything yet."
NO_MORE = "That is all I know."
_HARD = {
    "copy": 6, "tools": 3, "name": 2, "sums": 4, "neighbours": 3, "count": 6, "again": 5, "history": 2,
}  # fmt: skip
_TOOL_SHARE = 0.12
_FOLLOW_UP_SHARE = 0.45
_NAME_TOLD = re.compile(r"Nice to meet you, (\w+)\.")


def slowly(answer: str) -> str:
    """The same words with a pause after each."""
    words = re.findall(r" ?[\w']+", answer)
    return ",".join(words) + "."


def converse(rng: random.Random, turns: int, *, held_out: bool = False) -> Conversation:
    """A conversation of so many questions. `held_out`: every wording is one that training never sees."""
    offered = tools.offer(rng) if rng.random() < _TOOL_SHARE else ()
    exchanges: list[Exchange] = []
    for _ in range(turns):
        exchanges.append(_next(rng, held_out, exchanges, offered))
    return Conversation(tuple(exchanges), offered)


def converse_hard(rng: random.Random) -> Conversation:
    """A short conversation of what takes longest to learn: copying, sums, counting, what was said before."""
    way = rng.choices(list(_HARD), list(_HARD.values()))[0]
    if way == "tools":
        offered = tools.offer(rng)
        return Conversation((tools.with_tools(rng, False, offered),), offered)
    if way == "again":
        return _said_again(rng)
    exchanges: list[Exchange] = []
    if way == "name":
        asked = [smalltalk.name_unknown(rng, False)] if rng.random() < 0.4 else []
        while not _name(exchanges):
            exchanges = [*asked, smalltalk.personal(rng, False)]
    if way == "copy":
        exchanges.append(facts.repeating(rng, False))
    elif way == "sums":
        exchanges.append((counting.sums if rng.random() < 0.5 else counting.numbers)(rng, False))
    elif way == "count":
        exchanges.append(counting.counted(rng, False))
    elif way == "neighbours":
        exchanges.append(counting.neighbours(rng, False))
    else:
        for _ in range(rng.choice((0, 1, 1, 2)) if exchanges else 1):
            exchanges.append(_next(rng, False, exchanges, ()))
    if way in ("name", "history") or rng.random() < 0.4:
        exchanges.append(_follow_up(rng, False, exchanges))
    return Conversation(tuple(exchanges))


def _said_again(rng: random.Random) -> Conversation:
    """An answer of several parts, which may all be confused, and the same once more or slower."""
    offered = tools.offer(rng) if rng.random() < 0.3 else ()
    if offered:
        first = tools.with_tools(rng, False, offered)
    else:
        first = rng.choice((counting.sums, counting.numbers, counting.calendar, facts.facts))(rng, False)
    while True:
        again = _follow_up(rng, False, [first])
        if again.answer in (first.answer, slowly(first.answer)):
            return Conversation((first, again), offered)


def _next(
    rng: random.Random, held_out: bool, before: list[Exchange], offered: tuple[tools.ToolOffer, ...]
) -> Exchange:
    if rng.random() < (_FOLLOW_UP_SHARE if before else 0.02):
        return _follow_up(rng, held_out, before)
    if offered and rng.random() < 0.6:
        return tools.with_tools(rng, held_out, offered)
    while True:
        skill = rng.choices(list(SKILLS), list(SKILLS.values()))[0]
        exchange = skill(rng, held_out)
        # With functions on offer, these questions belong to them.
        if not (offered and exchange.answer.startswith(("I have no clock", "I cannot see the weather"))):
            if exchange.answer == "You did not tell me your name." and _name(before):
                continue
            return exchange


def _follow_up(rng: random.Random, held_out: bool, before: list[Exchange]) -> Exchange:
    last = before[-1] if before else None
    name = _name(before)
    if name and rng.random() < 0.5:
        return smalltalk.name_known(rng, held_out, name)
    ways = ["more", "slower", "again"]
    if last and last.kind == "jokes":
        ways = ["another"] * 4 + ways
    elif last and last.more:
        ways = ["more"] * 3 + ways
    way = rng.choice(ways)
    cores = {"more": _MORE, "slower": _SLOWER, "again": _AGAIN, "another": _ANOTHER}[way]
    user = phrase(rng, cores, held_out=held_out, bare=rng.random() < 0.3 and not held_out)
    if last is None:
        return Exchange("history", user, NOTHING_SAID)
    if way == "again":
        return Exchange(last.kind if last.more else "history", user, last.answer, last.more)
    if way == "slower":
        return Exchange(last.kind if last.more else "history", user, slowly(last.answer), last.more)
    if not last.more:
        return Exchange("history", user, NO_MORE)
    return Exchange(last.kind, user, last.more[0], last.more[1:])


def _name(before: list[Exchange]) -> str | None:
    for exchange in reversed(before):
        told = _NAME_TOLD.fullmatch(exchange.answer)
        if told:
            return told[1]
    return None
