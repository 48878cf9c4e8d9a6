"""An independent judge of speech: pocketsphinx with its own English sounds and nano's world as its language.

Left to any English words it hears nothing of use in computer speech, nano's or espeak-ng's; so its language
is a bigram of the sentences that nano is trained on. That favours all that it judges alike.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soxr

from engine.api import SAMPLE_RATE
from training.evaluate.bigram import Bigram
from training.evaluate.wer import words
from training.world.conversation import converse

_RATE = 16_000
_ADDED = {"oink": "OY NG K", "z(2)": "Z EH D"}
"""Words that its dictionary lacks, and how the British say the last letter."""
_CONVERSATIONS = 12_000
_SILENCE = int(0.2 * SAMPLE_RATE)


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

        self._decoder = Decoder(lm=None, samprate=_RATE, loglevel="FATAL")
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

    def __call__(self, sound: np.ndarray) -> list[str]:
        """Words of float32 [samples] at 24 kHz."""
        heard = soxr.resample(np.pad(sound, _SILENCE), SAMPLE_RATE, _RATE)
        pcm = (heard.clip(-1, 1) * 32767).astype("<i2").tobytes()
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return words(found.hypstr) if found else []

    def covers(self, text: str) -> bool:
        """All of its words can be recognised."""
        return self._words.issuperset(words(text))

    def _knows(self, sentence: list[str]) -> bool:
        return all(self._decoder.lookup_word(word) for word in sentence)
