"""The tokenizer, and conversations as the Reasoner is trained on them and as the engine prompts it."""

import itertools
import random

import pytest
from nano_world import KEPT, WEATHER, conversations, encoder

from engine.chroma.text import ChatPrompt, load_tokenizer
from training.evaluate.turns import in_sound, in_writing, offered, up_to, used
from training.tokens import SPECIALS, VOCABULARY, called, typed


@pytest.fixture(scope="module")
def encode():
    return encoder()


def test_words_come_back_as_they_were(encode):
    for each in conversations(200, seed=1):
        for exchange in each.exchanges:
            for text in (exchange.answer, exchange.user, f" {exchange.user}"):
                assert encode.tokenizer.decode(encode(text), skip_special_tokens=False) == text
    assert encode.tokenizer.get_vocab_size() == VOCABULARY


def test_marks_are_one_token_each(encode):
    assert all(len(encode(mark)) == 1 for mark in (*SPECIALS, "<tool_call>", "</tool_call>"))


def test_exactly_the_answers_are_to_be_predicted(encode):
    rng = random.Random(2)
    for each in [WEATHER, *conversations(100, seed=2)]:
        sounds = [encode.murmured(exchange.user, rng) for exchange in each.exchanges]
        for given in ([], sounds, [sounds[0], *([] for _ in sounds[1:])]):
            ids, wanted = encode.conversation(each, rng, given)
            assert len(ids) == len(wanted)
            answers = []
            for exchange in each.exchanges:
                answers += [called(exchange.use)] if exchange.use else []
                answers.append(exchange.answer)
            expected = [token for text in answers for token in (*encode(text), encode.im_end)]
            assert [token for token, want in zip(ids, wanted, strict=True) if want] == expected


def test_the_engine_prompts_as_training_did(encode):
    """Every prompt that the engine would make of a conversation is the beginning of what was trained on."""
    prompt = ChatPrompt(load_tokenizer(KEPT), encode.audio)
    for each in [WEATHER, *conversations(60, seed=3)]:
        blank = [encode.audio] * 9
        written, spoken = in_writing(each, random.Random(5)), in_sound(each)
        trained, _ = encode.conversation(each, random.Random(5))
        heard, _ = encode.conversation(each, random.Random(5), [blank for _ in each.exchanges])
        for turn, exchange in enumerate(each.exchanges):
            for asked, whole in ((written, trained), (spoken, heard)):
                messages = up_to(each, turn, asked)
                ids = prompt(messages, lambda _: 9, offered(each))
                assert ids == whole[: len(ids)]
                if exchange.use:
                    assert whole[len(ids) :][: len(encode(called(exchange.use)))] == encode(
                        called(exchange.use)
                    )
                    ids = prompt([*messages, *used(exchange.use)], lambda _: 9, offered(each))
                    assert ids == whole[: len(ids)]
                answer = [*encode(exchange.answer), encode.im_end]
                assert whole[len(ids) : len(ids) + len(answer)] == answer


def test_a_murmured_question_has_its_words_in_order_and_blanks_around(encode):
    ids = encode.murmured("what is two plus two", random.Random(1))
    assert ids[0] == ids[-1] == encode.audio
    told = [token for token in ids if token != encode.audio]
    # A word may be told twice, where ears are not sure of its end.
    assert [token for token, _ in itertools.groupby(told)] == encode.heard("what is two plus two")


@pytest.mark.parametrize("seed", range(20))
def test_what_is_typed_is_what_was_spoken(seed):
    rng = random.Random(seed)
    written = typed(rng, "what is twenty one plus i minus one hundred")
    plain = written.rstrip(".?!").lower().replace("'s", " is")
    for sign, word in (("+", "plus"), ("-", "minus"), ("100", "one hundred"), ("21", "twenty one")):
        plain = f" {plain} ".replace(f" {sign} ", f" {word} ").strip()
    assert plain == "what is twenty one plus i minus one hundred"


def test_what_is_typed_varies():
    rng = random.Random(0)
    made = {typed(rng, "what is two plus two") for _ in range(200)}
    assert {"what is two plus two", "What is two plus two?", "What is 2 + 2?"} <= made
