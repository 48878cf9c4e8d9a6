"""Sentences spoken anew, of words in places where no answer has them.

Some thousands of answers are learned by heart long before the voice can say another one, and what it was
trained on longer it said no better. So most of what it is asked to say is said once or a few times, and then
never again: answers at random, in two of three of which some words, or all, gave way to any others.
"""

from __future__ import annotations

import random
from collections import defaultdict

import numpy as np

from training.codec.encoder import Coder
from training.corpus.build import LONGEST_ANSWER, SPOKEN_RATE
from training.corpus.synthesis import speak_all
from training.corpus.voices import OWN_VOICES
from training.shapes import SAMPLES_PER_FRAME
from training.tokens import Encoder
from training.world.conversation import converse
from training.world.mixing import Mixer

_CONVERSATIONS = 4000
"""Among so many, each word that nano says comes."""
_KEPT = 1500
"""Sentences of each voice that may be drawn once more."""
_NEW = 0.35
"""Share of draws that are spoken anew: at half, espeak-ng and the codec take as long as the training."""


class Anew:
    """Draws sentences: token ids (`im_end` included) and codes."""

    def __init__(self, encoder: Encoder, coder: Coder, rng: random.Random) -> None:
        self._encoder, self._coder, self._rng = encoder, coder, rng
        self._said: dict[str, list[tuple[list[int], np.ndarray]]] = defaultdict(list)
        some = random.Random(9)
        said = (each.answer for _ in range(_CONVERSATIONS) for each in converse(some, 3).exchanges)
        self._mix = Mixer(said)

    def draw(self, voice: str) -> tuple[list[int], np.ndarray]:
        """One of nano's own voices says something: ids and int64 [n, 8]."""
        said = self._said[voice]
        if len(said) == _KEPT and self._rng.random() >= _NEW:
            return self._rng.choice(said)
        made = self._new(voice)
        if len(said) < _KEPT:
            said.append(made)
        else:
            said[self._rng.randrange(_KEPT)] = made
        return made

    def text(self) -> str:
        """What is said next."""
        while True:
            answer = converse(self._rng, self._rng.choice((1, 2))).exchanges[-1].answer
            text = self._mix(self._rng, answer, 6)
            if len(text) <= LONGEST_ANSWER:
                return text

    def _new(self, voice: str) -> tuple[list[int], np.ndarray]:
        text = self.text()
        (sound,), _ = speak_all([(text.strip(), OWN_VOICES[voice])], SPOKEN_RATE)
        codes = self._coder(sound, self._rng.randrange(SAMPLES_PER_FRAME))
        return [*self._encoder(text), self._encoder.im_end], codes
