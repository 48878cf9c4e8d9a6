"""Spoken questions, made and spoken anew whenever one is drawn: espeak-ng takes two milliseconds for one."""

from __future__ import annotations

import random
from collections.abc import Sequence

from training.corpus.build import HEARD_RATE
from training.corpus.synthesis import speak_all
from training.corpus.voices import asking_voice
from training.reasoner.sound import Heard, Hearer
from training.tokens import Encoder
from training.world.conversation import converse
from training.world.exchange import Conversation
from training.world.mixing import Mixer

_CONVERSATIONS = 4000
"""Among so many, each word that anybody says comes."""
_MASKED = 0.25
"""Share of sounds with holes in time and frequency."""


class Asked:
    """Conversations at random, each asked by another voice, as the tower meets them."""

    def __init__(self, encoder: Encoder, rng: random.Random) -> None:
        self._encoder, self._rng = encoder, rng
        self._hearer = Hearer(encoder.audio, rng.randrange(1 << 30))
        some = random.Random(7)
        said = (each.user for _ in range(_CONVERSATIONS) for each in converse(some, 3).exchanges)
        self._mix = Mixer(said)

    def conversation(self, conversation: Conversation) -> list[Heard]:
        """What is heard of each of its questions."""
        return self._hear([exchange.user for exchange in conversation.exchanges])

    def mixed(self) -> Heard:
        """A question; in two of three some words, or all, gave way to any others.

        As they are, half of all words are those of some ten wordings, and each of two hundred others comes
        once in two thousand; what a wording makes likely would be told without having been heard.
        """
        asked = converse(self._rng, self._rng.choice((1, 2))).exchanges[-1].user
        return self._hear([self._mix(self._rng, asked, 3)])[0]

    def _hear(self, lines: Sequence[str]) -> list[Heard]:
        voice = asking_voice(self._rng, held_out=False)
        sounds, ends = speak_all([(line, voice) for line in lines], HEARD_RATE)
        return [
            self._masked(self._hearer(sound, word_ends, self._encoder.heard(line)))
            for line, sound, word_ends in zip(lines, sounds, ends, strict=True)
        ]

    def _masked(self, heard: Heard) -> Heard:
        if self._rng.random() < _MASKED:
            low, at = (self._rng.randrange(size) for size in heard.mel.shape)
            heard.mel[low : low + self._rng.randrange(18)] = heard.mel.mean()
            heard.mel[:, at : at + self._rng.randrange(12)] = heard.mel.mean()
        return heard
