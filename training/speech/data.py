"""Answers to be spoken: for each sentence its pairs, its frames, and a reference in the same voice.

Codes are made anew for every draw, of the sound at another shift within a frame. With the same ones each
time, Backbone and Decoder learn sentences by heart and speak no others.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from training.batches import batches
from training.codec.sound import Coder
from training.corpus.build import read_conversation
from training.corpus.synthesis import Sounds, log
from training.reasoner.text import build_text_model
from training.shapes import SAMPLES_PER_FRAME
from training.speech.layout import Layout, lay_out
from training.tokens import Encoder

_REFERENCE_FRAMES = range(22, 56)
_POSITIONS = 1600
_POOL = 384
_TOGETHER = 32


@dataclass(frozen=True, slots=True)
class Answer:
    """One sentence: voice, text ids, what the Backbone hears of each token (float [n, 2, width]), and its
    sound, number `index` of `sounds`.

    `heard`: the encoder's codes of it, where it may be a reference of the finished model.
    """

    voice: str
    ids: list[int]
    pairs: torch.Tensor
    sounds: Sounds
    index: int
    heard: np.ndarray | None = None

    @property
    def frames(self) -> int:
        """Whole frames of its sound."""
        return self.sounds.samples(self.index) // SAMPLES_PER_FRAME


@torch.inference_mode()
def write_pairs(
    folder: Path, weights: dict[str, torch.Tensor], encoder: Encoder, name: str, to: Path
) -> None:
    """The Reasoner's hidden state and embedding for every token of every answer, into `to` (float16).

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
    pairs: list[torch.Tensor] = [torch.empty(0)] * len(rows)
    order = sorted(range(len(rows)), key=lambda index: len(rows[index][0]))
    for first in range(0, len(order), _TOGETHER):
        some = order[first : first + _TOGETHER]
        padded = torch.zeros(len(some), len(rows[some[-1]][0]), dtype=torch.int64)
        for row, index in enumerate(some):
            padded[row, : len(rows[index][0])] = torch.tensor(rows[index][0])
        embedded = model.embed_tokens(padded)
        hidden = model(inputs_embeds=embedded, use_cache=False).last_hidden_state
        for row, index in enumerate(some):
            tokens, begin = rows[index]
            states = hidden[row, begin - 1 : len(tokens) - 1]
            pairs[index] = torch.stack((states, embedded[row, begin : len(tokens)]), 1).half()
    ends = np.cumsum([len(each) for each in pairs])
    np.savez(to, pairs=torch.cat(pairs).numpy(), ends=ends)
    log(f"{name}: pairs of {ends[-1]} tokens")


def read_answers(
    folder: Path, encoder: Encoder, name: str, pairs: Path, heard: Path | None = None
) -> list[Answer]:
    """All sentences of a corpus. `heard`: the encoder's codes of them, where there are."""
    entries = json.loads((folder / f"{name}.json").read_text())
    sounds = Sounds(folder / f"{name}.npy")
    kept = np.load(pairs)
    rows = torch.from_numpy(kept["pairs"])
    parts = np.split(np.arange(len(rows)), kept["ends"][:-1])
    references: list[np.ndarray | None] = [None] * len(entries)
    if heard is not None:
        made = np.load(heard)
        references = list(np.split(made["codes"].astype(np.int64), made["ends"][:-1]))
    return [
        Answer(entry["voice"], encoder(entry["text"]), rows[part], sounds, index, references[index])
        for index, (entry, part) in enumerate(zip(entries, parts, strict=True))
    ]


class AnswerDraw:
    """Answers with references, in batches of like length. References are the encoder's codes where any answer
    has those, and otherwise codes of stage 1 as the answers' own."""

    def __init__(self, answers: list[Answer], encoder: Encoder, coder: Coder, seed: int) -> None:
        self._answers, self._coder, self._rng = answers, coder, random.Random(seed)
        self._marks = encoder.id("<|text_start|>"), encoder.id("<|text_end|>")
        self._references: dict[str, list[Answer]] = defaultdict(list)
        finished = any(answer.heard is not None for answer in answers)
        for answer in answers:
            if answer.frames in _REFERENCE_FRAMES and (answer.heard is not None or not finished):
                self._references[answer.voice].append(answer)

    def batches(self) -> Iterator[list[tuple[Layout, torch.Tensor]]]:
        """Layouts and pairs, about `_POSITIONS` of the Backbone in each batch."""
        return batches(self._rng, self._draw, lambda row: row[0].length, most=_POSITIONS, pool=_POOL)

    def _draw(self) -> tuple[Layout, torch.Tensor]:
        answer = self._rng.choice(self._answers)
        reference = self._rng.choice(self._references[answer.voice])
        start, end = self._marks
        text = np.array([start, *reference.ids, end])
        heard = self._codes(reference) if reference.heard is None else reference.heard
        layout = lay_out(text, heard, len(answer.pairs), self._codes(answer))
        return layout, answer.pairs[: len(layout.pairs_at)].float()

    def _codes(self, answer: Answer) -> np.ndarray:
        return self._coder(answer.sounds[answer.index], self._rng.randrange(SAMPLES_PER_FRAME))
