"""Sentences for the voice that no corpus has, spoken anew; no synthesiser is asked."""

import random
from collections import Counter

import numpy as np
import pytest
from nano_world import conversations, encoder

from training.shapes import CODEBOOKS
from training.speech import anew
from training.speech.anew import Anew


class Coder:
    """As many frames as a sound has words, all of the number of the sound."""

    def __call__(self, sound: np.ndarray, shift: int) -> np.ndarray:
        return np.full((len(sound), CODEBOOKS), int(sound[0]), np.int64)


@pytest.fixture
def spoken(monkeypatch) -> list[str]:
    texts: list[str] = []

    def speak_all(lines, rate):
        ((text, _),) = lines
        texts.append(text)
        return [np.full(len(text.split()), len(texts) - 1, np.float32)], []

    monkeypatch.setattr(anew, "speak_all", speak_all)
    return texts


def test_ids_and_codes_are_of_one_sentence(spoken):
    reader = encoder()
    sentences = Anew(reader, Coder(), random.Random(1))
    for _ in range(50):
        ids, codes = sentences.draw("river")
        assert ids[-1] == reader.im_end
        text = spoken[codes[0, 0]]
        assert ids[:-1] in (reader(text), reader(f" {text}"))
        assert len(codes) == len(text.split())


def test_most_draws_are_sentences_of_before_once_there_are_enough(spoken, monkeypatch):
    monkeypatch.setattr(anew, "_KEPT", 40)
    sentences = Anew(encoder(), Coder(), random.Random(2))
    for _ in range(40):
        sentences.draw("wren")
    assert len(spoken) == 40
    drawn = Counter(int(sentences.draw("wren")[1][0, 0]) for _ in range(400))
    assert 100 < len(spoken) - 40 < 180
    assert max(drawn) == len(spoken) - 1
    assert max(drawn.values()) < 40


def test_voices_do_not_share_sentences(spoken):
    sentences = Anew(encoder(), Coder(), random.Random(3))
    of = {voice: {int(sentences.draw(voice)[1][0, 0]) for _ in range(20)} for voice in ("river", "wren")}
    assert not of["river"] & of["wren"]


def test_rare_words_come_more_often_than_in_answers(spoken):
    sentences = Anew(encoder(), Coder(), random.Random(4))
    said = [sentences.text() for _ in range(1_500)]
    words = Counter(word for text in said for word in text.split())
    answers = [each.answer for talk in conversations(500, 5) for each in talk.exchanges]
    plain = Counter(word for text in answers for word in text.split())
    assert len(words) > 1.3 * len(plain)
    assert words.most_common(1)[0][1] / words.total() < 0.8 * plain.most_common(1)[0][1] / plain.total()
    assert max(map(len, said)) <= 110
    assert any(text in answers for text in said)


def test_references_are_as_long_as_asked_and_drawn_again(spoken, monkeypatch):
    monkeypatch.setattr(anew, "_REFERENCES", 10)
    monkeypatch.setattr(anew, "SAMPLES_PER_FRAME", 1)
    reader, heard = encoder(), []

    def hear(sound: np.ndarray) -> np.ndarray:
        heard.append(int(sound[0]))
        return np.full((len(sound), CODEBOOKS), int(sound[0]), np.int64)

    sentences = Anew(reader, Coder(), random.Random(5))
    drawn = Counter()
    for _ in range(200):
        ids, codes = sentences.reference("river", range(3, 6), hear)
        text = spoken[codes[0, 0]]
        assert len(codes) == len(text.split())
        assert len(codes) in range(3, 6)
        assert ids in (reader(text), reader(f" {text}"))
        drawn[int(codes[0, 0])] += 1
    assert drawn.keys() == set(heard)
    assert 50 < len(heard) < 110
    assert 1 < max(drawn.values()) < 40
