"""Questions for the tower: spoken anew each time, with words that nothing but the sound tells."""

import random
from collections import Counter

import numpy as np
import pytest
from nano_world import conversations, encoder

from training.reasoner import asked
from training.reasoner.asked import Asked

RATE = 16_000


@pytest.fixture
def lines(monkeypatch) -> list[list[tuple[str, object]]]:
    """What was to be spoken, and by whom; no synthesiser is asked."""
    made: list[list[tuple[str, object]]] = []

    def speak_all(wanted, rate):
        made.append(list(wanted))
        counts = [len(text.split()) for text, _ in wanted]
        sounds = [np.full(count * rate // 2, 0.1, np.float32) for count in counts]
        return sounds, [[(word + 1) * rate // 2 for word in range(count)] for count in counts]

    monkeypatch.setattr(asked, "speak_all", speak_all)
    return made


def test_each_word_of_a_question_is_a_target(lines):
    reader = encoder()
    mixed = Asked(reader, random.Random(1))
    for _ in range(20):
        heard = mixed.mixed()
        ((text, _),) = lines[-1]
        told = heard.targets[heard.targets != reader.audio].tolist()
        # Behind eight seconds nothing is heard.
        assert told == reader.heard(text)[: len(told)]
        assert len(told) >= min(len(text.split()), 14)


def test_rare_words_come_far_more_often_than_in_questions_as_they_are(lines):
    mixed = Asked(encoder(), random.Random(2))
    for _ in range(300):
        mixed.mixed()
    words = Counter(word for ((text, _),) in lines for word in text.split())
    lines.clear()
    for talk in conversations(150, 4):
        mixed.conversation(talk)
    plain = Counter(word for talk in lines for text, _ in talk for word in text.split())
    assert len(words) > len(plain)
    assert words.most_common(1)[0][1] / words.total() < 0.7 * plain.most_common(1)[0][1] / plain.total()


def test_a_conversation_has_one_voice_and_another_one_another(lines):
    speaker = Asked(encoder(), random.Random(3))
    for conversation in conversations(8, 5):
        heard = speaker.conversation(conversation)
        assert [text for text, _ in lines[-1]] == [each.user for each in conversation.exchanges]
        assert len(heard) == len(conversation.exchanges)
        assert len({voice for _, voice in lines[-1]}) == 1
    assert len({talk[0][1] for talk in lines}) > 4
