"""An independent judge of speech: pocketsphinx with its own English sounds and nano's world as its language.

Left to any English words it hears nothing of use in computer speech, nano's or espeak-ng's; so its language
is a bigram of the sentences that nano is trained on. And computer speech is too clean for it: between
harmonics and between words there is nothing, as in no recording that it learned from; so some pink noise is
added, without which it mistakes about half of espeak-ng's words. And each voice is brought nearer to those it
knows by playing it slower or faster. All of that helps whatever it judges alike, and was settled on
espeak-ng's speech alone, on sentences that are not judged.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import soxr

from engine.api import SAMPLE_RATE
from training.evaluate.bigram import Bigram
from training.evaluate.wer import error_rate, words
from training.world.conversation import converse

_RATE = 16_000
_ADDED = {"oink": "OY NG K", "z(2)": "Z EH D"}
"""Words that its dictionary lacks, and how the British say the last letter."""
_CONVERSATIONS = 12_000
_SILENCE = int(0.2 * SAMPLE_RATE)
_NOISE = 10 ** (-20 / 20)
"""Root mean square of the noise, the sound's being 1."""
_LOWEST = 100
"""Hertz from which on the noise falls, 3 dB an octave."""
_LANGUAGE_WEIGHT = 10
STRETCHES = (0.87, 1.0, 1.15, 1.3)
"""How much slower, and so lower, a voice may be played."""


def trained_sentences(seed: int = 71) -> list[str]:
    """Sentences as nano is trained on, drawn anew."""
    rng = random.Random(seed)
    return [each.answer for _ in range(_CONVERSATIONS) for each in converse(rng, 2).exchanges]


class Recogniser:
    """Sounds to words.

    Raises:
        ImportError: pocketsphinx is not installed.
    """

    def __init__(self, sentences: Iterable[str]) -> None:
        from pocketsphinx import Decoder

        self._decoder = Decoder(lm=None, samprate=_RATE, lw=_LANGUAGE_WEIGHT, loglevel="FATAL")
        for word, sounds in _ADDED.items():
            self._decoder.add_word(word, sounds)
        told = [words(sentence) for sentence in sentences]
        model = Bigram([sentence for sentence in told if self._knows(sentence)])
        self._words = set(model.single)
        with tempfile.TemporaryDirectory(prefix="evaluate-") as folder:
            path = Path(folder) / "world.lm"
            path.write_text(model.arpa())
            self._decoder.add_lm_file("world", str(path))
        self._decoder.activate_search("world")

    def __call__(self, sound: np.ndarray, stretch: float = 1.0) -> list[str]:
        """Words of float32 [samples] at 24 kHz, played so many times slower."""
        heard = soxr.resample(_noisy(np.pad(sound, _SILENCE)), SAMPLE_RATE, _RATE * stretch)
        pcm = (heard.clip(-1, 1) * 32767).astype("<i2").tobytes()
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return words(found.hypstr) if found else []

    def best_stretch(self, sounds: Sequence[np.ndarray], texts: Sequence[str]) -> float:
        """The one of `STRETCHES` with which it hears best what is said."""

        def mistaken(stretch: float) -> float:
            heard = [self(sound, stretch) for sound in sounds]
            return error_rate(zip(map(words, texts), heard, strict=True))

        return min(STRETCHES, key=mistaken)

    def covers(self, text: str) -> bool:
        """All of its words can be recognised."""
        return self._words.issuperset(words(text))

    def _knows(self, sentence: list[str]) -> bool:
        return all(self._decoder.lookup_word(word) for word in sentence)


def _noisy(sound: np.ndarray) -> np.ndarray:
    """With pink noise, the same for sounds of the same length."""
    noise = np.fft.rfft(np.random.default_rng(0).standard_normal(len(sound)))
    hertz = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    pink = np.fft.irfft(noise / np.sqrt(hertz.clip(_LOWEST)), len(sound))
    level = np.sqrt(np.mean(np.square(sound)) / np.mean(np.square(pink)))
    mixed: np.ndarray = sound + _NOISE * level * pink
    return mixed
