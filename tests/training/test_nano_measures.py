"""The measures that nano is judged by."""

import math

import numpy as np
import pytest

from training.evaluate.bigram import BEGIN, END, Bigram
from training.evaluate.speech import fresh
from training.evaluate.table import page
from training.evaluate.voiceprint import RATE, Voiceprint, median_pitch, voiceprint
from training.evaluate.voices import Matcher
from training.evaluate.wer import error_rate, errors, words


@pytest.mark.parametrize(
    ("wanted", "got", "wrong"),
    [
        ("", "", 0),
        ("a b c", "a b c", 0),
        ("a b c", "", 3),
        ("", "a b", 2),
        ("a b c", "a x c", 1),
        ("a b c", "b c", 1),
        ("a b c", "a a b c", 1),
        ("a b c d", "b c d a", 2),
    ],
)
def test_word_errors(wanted, got, wrong):
    assert errors(wanted.split(), got.split()) == wrong


def test_the_rate_is_of_all_words_together():
    pairs = [(["one", "two", "three"], ["one", "two"]), (["four"], ["four"])]
    assert error_rate(pairs) == 1 / 4


def test_words_without_marks():
    assert words("Cat: C, A, T. It's ten o'clock!") == ["cat", "c", "a", "t", "it's", "ten", "o'clock"]


def test_the_language_model_is_one():
    model = Bigram([["a", "b"], ["a", "c", "a"], []])
    assert sum(model.single.values()) == pytest.approx(1)
    for word in (BEGIN, "a", "b", "c"):
        assert sum(model.probability(word, other) for other in model.single) == pytest.approx(1)
    assert model.probability("b", END) > model.probability("b", "a") > 0
    lines = model.arpa().splitlines()
    assert "ngram 1=5" in lines
    assert (
        f"ngram 2={lines.index(chr(92) + 'end' + chr(92)) - lines.index(chr(92) + '2-grams:') - 2}" in lines
    )


def buzz(hertz: float, brightness: float = 0.5) -> np.ndarray:
    """A second of a tone with overtones, silence around it."""
    at = np.arange(RATE) / RATE
    tone = sum(brightness**order * np.sin(2 * np.pi * hertz * (order + 1) * at) for order in range(12))
    return np.pad(0.2 * np.asarray(tone), 4000).astype(np.float32)


@pytest.mark.parametrize("hertz", [70.0, 88.0, 123.4, 211.0, 390.0])
def test_pitch_of_a_tone(hertz):
    assert median_pitch(buzz(hertz)) == pytest.approx(hertz, rel=0.01)
    noisy = buzz(hertz) + np.random.default_rng(0).normal(0, 0.01, RATE + 8000)
    assert median_pitch(noisy) == pytest.approx(hertz, rel=0.01)


def test_noise_and_silence_have_no_pitch():
    assert math.isnan(median_pitch(np.random.default_rng(0).normal(0, 0.1, RATE)))
    assert math.isnan(median_pitch(np.zeros(RATE)))


def test_the_spectrum_does_not_go_by_loudness():
    loud, soft = voiceprint(buzz(120)), voiceprint(0.1 * buzz(120))
    assert np.linalg.norm(loud.envelope - soft.envelope) < 0.5
    assert np.linalg.norm(loud.envelope - voiceprint(buzz(120, 0.9)).envelope) > 5


def test_the_nearest_reference():
    references = {
        name: voiceprint(buzz(hertz)) for name, hertz in (("low", 80), ("middle", 120), ("high", 220))
    }
    matcher = Matcher(references)
    assert [matcher.nearest(voiceprint(buzz(hertz)), "pitch") for hertz in (85, 130, 200)] == [*references]
    for measure in ("both", "pitch", "spectrum"):
        assert matcher.nearest(references["middle"], measure) == "middle"
    unvoiced = Voiceprint(math.nan, references["high"].envelope)
    assert matcher.nearest(unvoiced, "both") == "high"


def test_sentences_to_speak_are_different_ones():
    texts = [each.exchanges[-1].answer for each in fresh(60, seed=1)]
    assert len(set(texts)) == 60
    assert max(map(len, texts)) <= 110


def test_a_page_of_figures():
    run = {
        "n": 4,
        "right": 3,
        "rate": 0.75,
        "kinds": {"sums": {"n": 4, "right": 3, "rate": 0.75}},
        "wrong": [],
    }
    shown = page({"questions": {"new": {"spoken": run, "typed": run}}, "speed": None})
    assert "| sums | 75.0 % of 4 | 75.0 % of 4 |" in shown
