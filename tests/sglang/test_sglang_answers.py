"""What SGLang answers is what the Reasoner in this process answers, whatever happens on the way: the same
tokens, and the hidden state of each exactly once."""

import time

import pytest
import torch
from conftest import CASES, Reader, same, whole

from engine.api import EngineError
from engine.chroma import parity
from engine.chroma.reasoner import ReasonerPrompt

ENDLESS = -1


def prompt(length: int, seed: int, most: int = 24, **more) -> ReasonerPrompt:
    """Some tokens of text, answered with so many."""
    ids = torch.randint(1, 600, (length,), generator=torch.Generator().manual_seed(seed)).tolist()
    return ReasonerPrompt(ids, None, ENDLESS, most=most, **more)


def with_sound(chroma, seconds: float, seed: int, before: int = 5, most: int = 16) -> ReasonerPrompt:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(int(25 * seconds), chroma.config.reasoner.hidden, generator=generator)
    ids = [*range(10, 10 + before), *[chroma.config.audio_token] * len(rows), 7, 8, 9]
    marks = tuple((seed, row) for row in range(len(rows)))
    return ReasonerPrompt(ids, rows, ENDLESS, marks=marks, most=most)


def played(chroma, cases, names, tag=""):
    return parity.play(chroma, [parity.job(chroma, f"{name}{tag}", cases[name]) for name in names])


@pytest.mark.parametrize("times", ["first", "again"])
@pytest.mark.parametrize("names", [*[(name,) for name in CASES], CASES], ids=[*CASES, "together"])
def test_golden_answers_match(chroma, cases, names, times):
    for name, answer in zip(names, played(chroma, cases, names), strict=True):
        assert answer.error is None
        assert not any(parity.mismatches(chroma, cases[name], answer).values())


def test_concurrent_answers_of_all_lengths_are_those_of_single_ones(chroma, local):
    prompts = {f"{n}": prompt(3 + 37 * n, n, most=5 + 7 * n) for n in range(8)}
    prompts |= {f"s{n}": with_sound(chroma, 0.6 + 1.7 * n, n) for n in range(4)}
    together = whole(chroma.reasoner, prompts)
    same(together, whole(local.reasoner, prompts))
    for name, each in prompts.items():
        alone = whole(chroma.reasoner, {name: each})
        assert alone.tokens(name) == together.tokens(name)
        torch.testing.assert_close(alone.rows(name), together.rows(name), atol=1e-4, rtol=0)


def test_the_first_token_tells_what_was_read_before(chroma):
    long = prompt(150, 31)
    (cold,) = whole(chroma.reasoner, {"a": long}).said.values()
    (warm,) = whole(chroma.reasoner, {"a": long}).said.values()
    assert cold[0].kept < 3, "another prompt may have begun with the same word"
    assert warm[0].kept == 149
    assert [thought.kept for thought in (*cold[1:], *warm[1:])] == [None] * 46


def test_a_changed_block_of_sound_is_read_anew_from_there_on(chroma):
    first = with_sound(chroma, 6.0, 41)
    whole(chroma.reasoner, {"a": first})
    rows = first.sound.clone()
    rows[60] += 1.0
    marks = tuple((mark, "changed") if 50 <= row < 100 else mark for row, mark in enumerate(first.marks))
    changed = ReasonerPrompt(first.ids, rows, ENDLESS, marks=marks, most=16)
    (said,) = whole(chroma.reasoner, {"a": changed}).said.values()
    assert said[0].kept == 5 + 50, "the text before and the first block of 2 s"


def test_equal_sound_is_known_again_whatever_it_is_called(chroma):
    first = with_sound(chroma, 4.0, 42)
    whole(chroma.reasoner, {"a": first})
    unnamed = ReasonerPrompt(first.ids, first.sound, ENDLESS, most=4)
    (said,) = whole(chroma.reasoner, {"a": unnamed}).said.values()
    assert said[0].kept == len(first.ids) - 1


def test_a_text_that_is_forced_is_said_with_the_model_s_own_hidden_states(chroma, local):
    # More tokens than are read at once, and the model goes on by itself; and a text that ends the answer.
    prompts = {
        "begun": prompt(20, 51, most=100, forced=tuple(range(100, 170))),
        "said": ReasonerPrompt(list(range(5, 25)), None, 7, forced=(8, 9, 10, 7)),
        "cut": prompt(20, 52, most=3, forced=tuple(range(100, 110))),
    }
    said = whole(chroma.reasoner, prompts)
    expected = whole(local.reasoner, {name: prompts[name] for name in ("begun", "said")} | {})
    assert said.tokens("cut") == [100, 101, 102]
    assert len(said.tokens("begun")) == 100
    for name, count in (("begun", 100), ("said", 4)):
        assert said.tokens(name) == expected.tokens(name)[:count]
        torch.testing.assert_close(said.rows(name), expected.rows(name)[:count], atol=1e-4, rtol=0)


def test_it_weighs_as_the_reasoner_in_this_process_does(chroma, local):
    asked = with_sound(chroma, 3.0, 61), [1, 2, 3], [4, 5]
    expected = local.reasoner.weigh(*asked).result()
    assert chroma.reasoner.weigh(*asked).result(60) == pytest.approx(expected, rel=1e-3)


def test_a_reader_that_stalls_misses_nothing_and_gets_nothing_twice(chroma, local):
    prompts = {f"{n}": prompt(10 + n, 70 + n, most=150) for n in range(4)}
    reader = Reader(chroma.reasoner)
    for name, each in prompts.items():
        reader.start(name, each)
    reader.read(lambda: all(reader.said.values()))
    # The thread that reads the socket stands still, while SGLang goes on.
    chroma.reasoner.keeper._loop.call_soon_threadsafe(time.sleep, 3.0)
    reader.read()
    same(reader, whole(local.reasoner, prompts))
    for name in prompts:
        chroma.reasoner.stop(name)


def test_a_cache_that_is_too_small_costs_time_alone(chroma, local):
    """All at once need more tokens than the cache holds: some are taken out of it and read again."""
    before = chroma.reasoner.retractions
    prompts = {f"{n}": prompt(60, 80 + n, most=700) for n in range(3)}
    assert sum(len(each.ids) + each.most for each in prompts.values()) > chroma.reasoner.room
    same(whole(chroma.reasoner, prompts), whole(local.reasoner, prompts))
    assert chroma.reasoner.retractions > before


def test_stopped_answers_free_the_cache_and_what_they_held(chroma):
    """In the middle of an answer, and in the middle of reading: more than the cache holds is asked for and
    stopped, and then an answer that needs most of it is made."""
    for turn in range(4):
        reader = Reader(chroma.reasoner)
        reader.start("said", with_sound(chroma, 10.0, 200 + turn, most=300))
        reader.read(lambda: len(reader.said["said"]) > 3)  # noqa: B023
        reader.start("read", with_sound(chroma, 60.0, 300 + turn, most=100))
        reader.stop("read")
        reader.stop("said")
    big = prompt(1850, 91, most=100)
    reader = whole(chroma.reasoner, {"big": big})
    assert not reader.failed
    assert len(reader.said["big"]) == 100
    deadline = time.monotonic() + 20
    while chroma.reasoner._held:
        assert time.monotonic() < deadline, "sound is held for requests that are over"
        time.sleep(0.01)


def test_stopping_one_answer_leaves_the_others(chroma, local):
    prompts = {f"{n}": prompt(10, 400 + n, most=40) for n in range(12)}
    reader = Reader(chroma.reasoner)
    for name, each in prompts.items():
        reader.start(name, each)
    reader.read(lambda: len(reader.said["1"]) > 2)
    reader.stop("1")
    reader.read()
    del prompts["1"]
    same(reader, whole(local.reasoner, prompts))
    for name in prompts:
        chroma.reasoner.stop(name)


def test_a_prompt_that_is_too_long_is_refused_before_it_is_sent(chroma):
    with pytest.raises(EngineError, match="2040") as refused:
        chroma.reasoner.start("long", prompt(2040, 1))
    assert refused.value.code == "context_length_exceeded"
    longest = prompt(2030, 2, most=None)
    (said,) = whole(chroma.reasoner, {"longest": longest}).said.values()
    assert len(said) == 10, "the answer ends where the context is full"
