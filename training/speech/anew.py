"""Sentences spoken anew, of words in places where no answer has them.

Some thousands of answers are learned by heart long before the voice can say another one, and what it was
trained on longer it said no better. So most of what it is asked to say is said once or a few times, and then
never again: answers at random, in two of three of which some words, or all, gave way to any others.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable

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
_REFERENCES = 300
"""References of each voice that may be drawn once more."""


Codes = tuple[list[int], np.ndarray]
"""Ids of a text, and codes [n, 8] of it spoken."""


class Anew:
    """Draws sentences to be said, and references to say them like."""

    def __init__(self, encoder: Encoder, coder: Coder, rng: random.Random) -> None:
        self._encoder, self._coder, self._rng = encoder, coder, rng
        self._said: dict[str, list[Codes]] = defaultdict(list)
        self._references: dict[str, list[Codes]] = defaultdict(list)
        some = random.Random(9)
        said = (each.answer for _ in range(_CONVERSATIONS) for each in converse(some, 3).exchanges)
        self._mix = Mixer(said)

    def draw(self, voice: str) -> Codes:
        """One of nano's own voices says something; `im_end` is the last of its ids."""
        return self._some(self._said[voice], _KEPT, lambda: self._answer(voice))

    def reference(self, voice: str, frames: range, hear: Callable[[np.ndarray], np.ndarray]) -> Codes:
        """A recording of so many frames, by the codes with which `hear` hears its sound."""
        return self._some(self._references[voice], _REFERENCES, lambda: self._recording(voice, frames, hear))

    def _some(self, made: list[Codes], kept: int, make: Callable[[], Codes]) -> Codes:
        if len(made) == kept and self._rng.random() >= _NEW:
            return self._rng.choice(made)
        new = make()
        if len(made) < kept:
            made.append(new)
        else:
            made[self._rng.randrange(kept)] = new
        return new

    def text(self) -> str:
        """What is said next."""
        while True:
            answer = converse(self._rng, self._rng.choice((1, 2))).exchanges[-1].answer
            text = self._mix(self._rng, answer, 6)
            if len(text) <= LONGEST_ANSWER:
                return text

    def _answer(self, voice: str) -> Codes:
        text, sound = self._spoken(voice)
        codes = self._coder(sound, self._rng.randrange(SAMPLES_PER_FRAME))
        return [*self._encoder(text), self._encoder.im_end], codes

    def _recording(self, voice: str, frames: range, hear: Callable[[np.ndarray], np.ndarray]) -> Codes:
        while True:
            text, sound = self._spoken(voice)
            if len(sound) // SAMPLES_PER_FRAME in frames:
                return self._encoder(text), hear(sound)

    def _spoken(self, voice: str) -> tuple[str, np.ndarray]:
        text = self.text()
        (sound,), _ = speak_all([(text.strip(), OWN_VOICES[voice])], SPOKEN_RATE)
        return text, sound
