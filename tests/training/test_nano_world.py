"""Nano's world: wordings that are kept from training, and answers that are right."""

import random
from collections import Counter

import pytest
from nano_world import conversations

from training.world import conversation, counting, facts, smalltalk, tools
from training.world.conversation import NO_MORE, NOTHING_SAID, slowly
from training.world.numbers import LARGEST, sentence, spoken
from training.world.phrasing import CLOSERS, OPENERS, is_held_out, phrase

CORES = [
    counting._PLUS, counting._TIMES, counting._COUNT, counting._NTH, facts._COLOUR, facts._SPELL, facts._JOKE,
    smalltalk._UNKNOWN, smalltalk.YOUR_NAME, tools._ASK_WEATHER, conversation._MORE, conversation._AGAIN,
]  # fmt: skip


@pytest.mark.parametrize("cores", CORES, ids=lambda cores: cores[0])
def test_a_held_out_wording_is_never_drawn_in_training(cores):
    wordings = [
        (" ".join(filter(None, (opener, core, closer))), is_held_out(opener, core, closer))
        for opener in sorted(set(OPENERS))
        for core in cores
        for closer in sorted(set(CLOSERS))
    ]
    kept_back = {text for text, held_out in wordings if held_out}
    trained = {text for text, held_out in wordings if not held_out}
    assert kept_back
    assert not kept_back & trained
    rng = random.Random(1)
    assert {phrase(rng, cores, held_out=False) for _ in range(300)} <= trained
    assert {phrase(rng, cores, held_out=True) for _ in range(100)} <= kept_back
    assert {phrase(rng, cores, held_out=True, bare=True) for _ in range(50)} <= set(cores)


def test_numbers_are_words():
    assert [spoken(number) for number in (0, 7, 13, 20, 42, 99, 100)] == [
        "zero", "seven", "thirteen", "twenty", "forty two", "ninety nine", "one hundred",
    ]  # fmt: skip
    assert len({spoken(number) for number in range(LARGEST + 1)}) == LARGEST + 1


@pytest.mark.parametrize("number", [-1, 101])
def test_there_are_no_other_numbers(number):
    with pytest.raises(ValueError, match="not in 0 to 100"):
        spoken(number)


def test_sums_are_right_for_all_pairs():
    number = {spoken(value): value for value in range(LARGEST + 1)}
    signs = {"plus": int.__add__, "minus": int.__sub__, "times": int.__mul__}
    rng = random.Random(2)
    met = set()
    for _ in range(20_000):
        left, told = counting.sums(rng, False).answer.removesuffix(".").lower().split(" is ")
        sign = next(sign for sign in signs if f" {sign} " in left)
        a, b = (number[part] for part in left.split(f" {sign} "))
        assert signs[sign](a, b) == number[told]
        met.add((sign, a, b))
    operands = range(11)
    for sign in ("plus", "times"):
        assert {(a, b) for told, a, b in met if told == sign} == {(a, b) for a in operands for b in operands}
    assert {(a, b) for told, a, b in met if told == "minus"} == {
        (a, b) for a in operands for b in range(a + 1)
    }


def test_what_is_asked_is_what_is_answered():
    rng = random.Random(3)
    for _ in range(500):
        exchange = counting.sums(rng, held_out=False)
        operands = exchange.answer.split(" is ")[0].lower().split(" ")
        assert {word for word in operands if word not in ("plus", "minus", "times")} <= set(
            exchange.user.split()
        )


def test_follow_ups_go_by_what_was_said_before():
    met = set()
    for each in conversations(3000, seed=4):
        before = None
        for exchange in each.exchanges:
            user = exchange.user
            if any(core in user for core in ("say that again", "repeat that", "pardon")):
                assert exchange.answer == (before.answer if before else NOTHING_SAID)
                met.add("again")
            elif any(core in user for core in ("slower", "more slowly")):
                assert exchange.answer == (slowly(before.answer) if before else NOTHING_SAID)
                met.add("slower")
            elif any(core in user for core in ("tell me more", "go on", "what else")):
                if before and before.more:
                    assert exchange.answer == sentence(before.more[0])
                    assert exchange.more == before.more[1:]
                    met.add("more")
                elif before:
                    assert exchange.answer == NO_MORE
                    met.add("no more")
            before = exchange
    assert met == {"again", "slower", "more", "no more"}


def test_a_name_is_remembered_once_it_was_told():
    known = 0
    for each in conversations(3000, seed=5):
        told = None
        for exchange in each.exchanges:
            if exchange.answer.startswith("Your name is "):
                assert exchange.answer == f"Your name is {told}."
                known += 1
            assert (
                told is None
                or exchange.answer != "You did not tell me your name."
                or "again" in exchange.user
            )
            if exchange.answer.startswith("Nice to meet you, "):
                told = exchange.answer.removeprefix("Nice to meet you, ").removesuffix(".")
    assert known > 20


def test_calls_are_of_functions_on_offer_and_their_outputs_hold_the_answer():
    used = 0
    for each in conversations(2000, seed=6):
        for exchange in each.exchanges:
            if exchange.use is None:
                continue
            used += 1
            (offer,) = (tool for tool in each.tools if tool.name == exchange.use.name)
            assert list(exchange.use.arguments) == [offer.parameter] * bool(offer.parameter)
            if "weather" in offer.name:
                city = exchange.use.arguments[offer.parameter]
                assert city.lower() in exchange.user
                assert f" in {city}" in exchange.answer
                assert exchange.answer.split()[2] in exchange.use.output
    assert used > 50


def test_half_of_what_is_hardest_counts_or_says_something_again():
    rng = random.Random(7)
    hard = [conversation.converse_hard(rng) for _ in range(2000)]
    kinds = Counter(each.exchanges[0].kind for each in hard)
    assert kinds["numbers"] > 0.3 * len(hard)
    assert kinds["repeating"] > 0.15 * len(hard)
    again = [
        each
        for each in hard
        if len(each.exchanges) == 2
        and each.exchanges[1].answer in (each.exchanges[0].answer, slowly(each.exchanges[0].answer))
    ]
    assert len(again) > 0.2 * len(hard)
    assert any(each.tools for each in again)
    for each in again:
        said = each.exchanges[1].answer
        assert not each.tools or said.startswith(
            ("It", "I have no clock", "I, have", "I cannot", "I, cannot")
        )


@pytest.mark.parametrize(
    ("hour", "minute", "told"),
    [
        (10, 5, "ten oh five"),
        (0, 0, "zero o'clock"),
        (23, 59, "twenty three fifty nine"),
        (7, 30, "seven thirty"),
    ],
)
def test_times_of_day(hour, minute, told):
    assert tools.clock(hour, minute) == told
