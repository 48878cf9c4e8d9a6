"""Answers to be spoken, in rows: a reference, and several answers in its voice that hear it, not each other.

Codes are made anew for most draws, of the sound at another shift within a frame. With the same ones each
time, Backbone and Decoder learn sentences by heart and speak no others.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from training.codec.encoder import Coder, Ear
from training.corpus.build import read_conversation
from training.corpus.synthesis import Sounds, log
from training.corpus.voices import OWN_VOICES
from training.reasoner.text import build_text_model
from training.shapes import SAMPLES_PER_FRAME
from training.speech.anew import Anew
from training.speech.layout import Layout, lay_out
from training.tokens import Encoder

_REFERENCE_FRAMES = range(38, 64)
_POSITIONS = 420
"""Of a row; one reference serves all of its answers."""
_ROWS = 4
_TOGETHER = 32
_REFERENCES = 400
"""Of each voice."""
_SHIFTS = 2
"""Codes of one sound at so many shifts are kept and drawn from."""


@dataclass(slots=True)
class Answer:
    """One sentence: voice, text ids (`im_end` included), and its sound, number `index` of `sounds`.

    `heard`: the encoder's codes of it as a reference of the finished model, one for each recording of it.
    `codes`: those of stage 1, at shifts that were drawn before.
    """

    voice: str
    ids: list[int]
    sounds: Sounds
    index: int
    heard: list[np.ndarray] = field(default_factory=list)
    codes: list[np.ndarray] = field(default_factory=list)

    @property
    def frames(self) -> int:
        """Whole frames of its sound."""
        return self.sounds.samples(self.index) // SAMPLES_PER_FRAME

    @property
    def may_refer(self) -> bool:
        """It is neither too short nor too long for a reference."""
        return self.frames in _REFERENCE_FRAMES

    def transcript(self, encoder: Encoder) -> np.ndarray:
        """Its words as those of a reference."""
        return transcript(encoder, self.ids[:-1])


def transcript(encoder: Encoder, ids: list[int]) -> np.ndarray:
    """Ids of a reference's words, with `text_start` and `text_end` around them."""
    return np.array([encoder.id("<|text_start|>"), *ids, encoder.id("<|text_end|>")])


@torch.inference_mode()
def write_states(
    folder: Path, weights: dict[str, torch.Tensor], encoder: Encoder, name: str, to: Path
) -> None:
    """The Reasoner's hidden states at all tokens of all answers of a corpus, into `to` (float16 [N, width]).

    Args:
        weights: state of the language model.
        name: the corpus; its questions are taken as typed or as murmured, at random.
    """
    model = build_text_model().eval()
    model.load_state_dict(weights)
    rng = random.Random(7)
    rows: list[tuple[list[int], int]] = []
    for entry in json.loads((folder / f"{name}.json").read_text()):
        conversation = read_conversation(entry["conversation"])
        sounds = [encoder.murmured(each.user, rng) for each in conversation.exchanges]
        ids, _ = encoder.conversation(conversation, rng, sounds if rng.random() < 0.7 else [])
        answer = [*encoder(entry["text"]), encoder.im_end]
        # The answer ends a conversation, but for one last line break.
        begin = len(ids) - 1 - len(answer)
        assert ids[begin:-1] == answer, entry["text"]
        rows.append((ids[:-1], begin))
    states = []
    rows.sort(key=lambda row: len(row[0]))
    for first in range(0, len(rows), _TOGETHER):
        some = rows[first : first + _TOGETHER]
        padded = torch.zeros(len(some), len(some[-1][0]), dtype=torch.int64)
        for row, (ids, _) in enumerate(some):
            padded[row, : len(ids)] = torch.tensor(ids)
        hidden = model(inputs_embeds=model.embed_tokens(padded), use_cache=False).last_hidden_state
        states += [hidden[row, begin - 1 : len(ids) - 1].half() for row, (ids, begin) in enumerate(some)]
    np.save(to, torch.cat(states).numpy())
    log(f"{name}: {sum(map(len, states))} hidden states")


def read_answers(folder: Path, encoder: Encoder, name: str) -> list[Answer]:
    """All sentences of a corpus in nano's voices."""
    entries = json.loads((folder / f"{name}.json").read_text())
    sounds = Sounds(folder / f"{name}.npy")
    return [
        Answer(entry["voice"], [*encoder(entry["text"]), encoder.im_end], sounds, index)
        for index, entry in enumerate(entries)
        if entry["voice"] in OWN_VOICES
    ]


@dataclass(frozen=True, slots=True)
class Row:
    """One reference and the answers that hear it: their layouts, each as if it were alone with the reference,
    and the token ids of their pairs."""

    layouts: list[Layout]
    words: list[np.ndarray]

    @property
    def prefix(self) -> int:
        """Positions of the reference."""
        first = self.layouts[0]
        return len(first.text) + len(first.reference) + 1


def recorded(sound: np.ndarray, rng: random.Random) -> np.ndarray:
    """A sound, float32 [samples], as a recording of it may begin and end: with up to one frame of silence
    before it and two behind it, not all of them whole.

    A voice that was always taught with a whole frame of silence lost half as many words again when a
    reference ended with its last word.
    """
    return np.pad(sound, (rng.randrange(SAMPLES_PER_FRAME), rng.randrange(2 * SAMPLES_PER_FRAME)))


class AnswerDraw:
    """Answers with references. The rarer its words are, the likelier an answer is drawn. References are heard
    by `ear`, or else have codes of stage 1 as the answers' own. `new`: share of sentences, and of references
    where there is an `ear`, that no corpus has.
    """

    def __init__(
        self,
        answers: Sequence[Answer],
        encoder: Encoder,
        coder: Coder,
        seed: int,
        *,
        ear: Ear | None = None,
        new: float = 0.0,
    ) -> None:
        self._encoder, self._coder, self._ear = encoder, coder, ear
        self._rng = random.Random(seed)
        self._new, self._anew = new, Anew(encoder, coder, self._rng) if new else None
        self._answers: dict[str, list[Answer]] = defaultdict(list)
        self._references: dict[str, list[Answer]] = defaultdict(list)
        for answer in answers:
            self._answers[answer.voice].append(answer)
            some = self._references[answer.voice]
            if answer.may_refer and len(some) < _REFERENCES:
                some.append(answer)
        count = Counter(token for answer in answers for token in answer.ids)
        self._rarity = {
            voice: [sum(count[token] ** -0.5 for token in answer.ids) / len(answer.ids) for answer in some]
            for voice, some in self._answers.items()
        }

    def batches(self) -> Iterator[list[Row]]:
        """Some rows at a time, for ever."""
        while True:
            yield [self._row() for _ in range(_ROWS)]

    def _row(self) -> Row:
        voice = self._rng.choice(list(self._answers))
        text, heard = self._reference(voice)
        row, left = Row([], []), _POSITIONS - len(text) - len(heard) - 1
        for answer in self._rng.choices(self._answers[voice], self._rarity[voice], k=24):
            if self._anew and self._rng.random() < self._new:
                ids, codes = self._anew.draw(voice)
            else:
                ids, codes = answer.ids, self._codes(answer)
            layout = lay_out(text, heard, len(ids), codes)
            left -= layout.length - len(text) - len(heard) - 1
            if left < 0 and row.layouts:
                break
            row.layouts.append(layout)
            row.words.append(np.array(ids[: len(layout.pairs_at)]))
        return row

    def _reference(self, voice: str) -> tuple[np.ndarray, np.ndarray]:
        """Its transcript, and its codes."""
        if self._anew and self._ear and self._rng.random() < self._new:
            ids, codes = self._anew.reference(voice, _REFERENCE_FRAMES, self._hear)
            return transcript(self._encoder, ids), codes
        reference = self._rng.choice(self._references[voice])
        return reference.transcript(self._encoder), self._heard(reference)

    def _heard(self, reference: Answer) -> np.ndarray:
        if self._ear is None:
            return self._codes(reference)
        return self._one_of(reference.heard, lambda: self._hear(reference.sounds[reference.index]))

    def _hear(self, sound: np.ndarray) -> np.ndarray:
        assert self._ear is not None
        return self._ear(recorded(sound, self._rng))

    def _codes(self, answer: Answer) -> np.ndarray:
        def at_some_shift() -> np.ndarray:
            shift = self._rng.randrange(SAMPLES_PER_FRAME)
            return self._coder(answer.sounds[answer.index], shift)

        return self._one_of(answer.codes, at_some_shift)

    def _one_of(self, made: list[np.ndarray], make: Callable[[], np.ndarray]) -> np.ndarray:
        """Codes of one sound: new ones until there are enough, then any of those."""
        if len(made) < _SHIFTS:
            made.append(make().astype(np.int16))
            return made[-1].astype(np.int64)
        return self._rng.choice(made).astype(np.int64)
