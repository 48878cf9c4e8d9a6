"""Measure a checkpoint: `python -m training.evaluate [--checkpoint FOLDER] [--quick] [--out FILE.json]`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.api import EngineError
from training.corpus.build import questions, read_questions
from training.corpus.synthesis import log
from training.evaluate.nano import Draw, Nano
from training.evaluate.questions import Spoken, by_text, by_voice, from_corpus, known_voices
from training.evaluate.recogniser import Recogniser, trained_sentences
from training.evaluate.speech import Utterance, fresh, utterances, word_errors
from training.evaluate.speed import speed
from training.evaluate.table import page
from training.evaluate.voices import voice_match

_ROOT = Path(__file__).parents[2]
_TEST = "questions_test"
_HELD_OUT_SEED, _KNOWN_VOICES_SEED, _SENTENCES_SEED = 22, 6_022, 6_012
"""The first is the one with which the held-out questions were made; no training uses any of them."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    held_out: int
    known_voices: int
    sentences: int
    timed: int


WHOLE = Size(held_out=500, known_voices=150, sentences=120, timed=20)
QUICK = Size(held_out=25, known_voices=15, sentences=8, timed=3)


class Evaluation:
    """Every measure of one checkpoint; what two of them need is made once."""

    def __init__(self, nano: Nano, work: Path, size: Size) -> None:
        self._nano, self._work, self._size = nano, work, size

    def measures(self) -> dict[str, Callable[[], dict[str, Any]]]:
        """Each measure by its name."""
        return {
            "questions": self._questions,
            "speech": self._speech,
            "voices": lambda: voice_match(self._nano, self._utterances),
            "speed": lambda: speed(self._nano, self._held_out, self._size.timed),
        }

    @cached_property
    def _held_out(self) -> Spoken:
        self._work.mkdir(parents=True, exist_ok=True)
        questions(self._work, _TEST, WHOLE.held_out, seed=_HELD_OUT_SEED, held_out=True)
        return from_corpus(read_questions(self._work, _TEST), self._size.held_out)

    @cached_property
    def _utterances(self) -> list[Utterance]:
        return utterances(self._nano, fresh(self._size.sentences, _SENTENCES_SEED))

    def _questions(self) -> dict[str, Any]:
        sets = {
            "new wording and voice": self._held_out,
            "new wording, known voice": known_voices(self._size.known_voices, _KNOWN_VOICES_SEED),
        }
        return {
            name: {"spoken": by_voice(self._nano, spoken), "typed": by_text(self._nano, spoken)}
            for name, spoken in sets.items()
        }

    def _speech(self) -> dict[str, Any]:
        sentences = trained_sentences()
        corpus = self._work / "answers.json"
        known = (
            frozenset(each["text"] for each in json.loads(corpus.read_text())) if corpus.is_file() else None
        )
        said = frozenset(sentences) if known is None else known
        return word_errors(self._nano, self._utterances, Recogniser(sentences), said)


def main() -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    parser.add_argument("--checkpoint", type=Path, default=_ROOT / "engine" / "nano", metavar="FOLDER")
    parser.add_argument("--work", type=Path, default=_ROOT / "training" / "work", help="where corpora lie")
    parser.add_argument("--quick", action="store_true", help="a few of everything")
    parser.add_argument("--only", nargs="+", choices=("questions", "speech", "voices", "speed"))
    parser.add_argument("--sentences", type=int, help="spoken in each voice")
    parser.add_argument("--temperature", type=float, default=Draw().temperature)
    parser.add_argument("--top-k", type=int, default=Draw().top_k)
    parser.add_argument("--top-p", type=float, default=Draw().top_p)
    parser.add_argument("--out", type=Path, metavar="FILE.json")
    options = parser.parse_args()
    draw = Draw(options.temperature, options.top_k, options.top_p)
    size = QUICK if options.quick else WHOLE
    if options.sentences:
        size = Size(size.held_out, size.known_voices, options.sentences, size.timed)
    try:
        nano = Nano(options.checkpoint, draw)
    except EngineError as error:
        print(f"evaluate: {error.message}", file=sys.stderr)
        return 1
    measures = Evaluation(nano, options.work, size).measures()
    figures: dict[str, Any] = {
        "checkpoint": str(options.checkpoint),
        "draw": asdict(draw),
        "size": asdict(size),
    }
    for name in options.only or measures:
        if name != "questions" and not nano.voices:
            log(f"{name}: left out, {options.checkpoint}/voices holds no voice")
            continue
        begun = time.monotonic()
        figures[name] = measures[name]()
        log(f"{name}: {time.monotonic() - begun:.0f} s")
        if options.out:
            options.out.write_text(json.dumps(figures, indent=1) + "\n")
    print("\n" + page(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
