"""Answers to be spoken: for each sentence its pairs, its frames, and a reference in the same voice."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from training.codec.sound import Frames
from training.corpus.build import read_conversation
from training.corpus.synthesis import log
from training.reasoner.text import build_text_model
from training.speech.layout import Layout, lay_out
from training.tokens import Encoder

_REFERENCE_FRAMES = range(22, 56)
_POSITIONS = 1600
_POOL = 384
_TOGETHER = 32


@dataclass(frozen=True, slots=True)
class Answer:
    """One sentence: voice, text ids, what the Backbone hears of each token (float [n, 2, width]), codes.

    `heard`: its codes as a reference, which are the encoder's once there is one.
    """

    voice: str
    ids: list[int]
    pairs: torch.Tensor
    codes: np.ndarray
    heard: np.ndarray


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
    """All sentences of a corpus. `heard`: the encoder's codes; without it references have those of mel."""
    entries = json.loads((folder / f"{name}.json").read_text())
    frames = Frames(folder / f"{name}.frames.npz")
    kept = np.load(pairs)
    codes = frames.codes.long().numpy()
    references = codes if heard is None else np.load(heard).astype(np.int64)
    rows, ends = torch.from_numpy(kept["pairs"]), kept["ends"]
    answers = []
    for index, entry in enumerate(entries):
        first, behind = frames.span(index)
        begin = int(ends[index - 1]) if index else 0
        answers.append(
            Answer(
                entry["voice"],
                encoder(entry["text"]),
                rows[begin : int(ends[index])],
                codes[first:behind],
                references[first:behind],
            )
        )
    return answers


class AnswerDraw:
    """Answers with references, in batches of like length."""

    def __init__(self, answers: list[Answer], encoder: Encoder, seed: int) -> None:
        self._answers, self._rng = answers, random.Random(seed)
        self._marks = encoder.id("<|text_start|>"), encoder.id("<|text_end|>")
        self._references: dict[str, list[Answer]] = defaultdict(list)
        for answer in answers:
            if len(answer.codes) in _REFERENCE_FRAMES:
                self._references[answer.voice].append(answer)

    def batches(self) -> Iterator[list[tuple[Layout, torch.Tensor]]]:
        """Layouts and pairs, about `_POSITIONS` of the Backbone in each batch."""
        while True:
            rows = sorted((self._draw() for _ in range(_POOL)), key=lambda row: row[0].length)
            made: list[list[tuple[Layout, torch.Tensor]]] = [[]]
            for row in rows:
                if made[-1] and row[0].length * (len(made[-1]) + 1) > _POSITIONS:
                    made.append([])
                made[-1].append(row)
            self._rng.shuffle(made)
            yield from made

    def _draw(self) -> tuple[Layout, torch.Tensor]:
        answer = self._rng.choice(self._answers)
        reference = self._rng.choice(self._references[answer.voice])
        start, end = self._marks
        text = np.array([start, *reference.ids, end])
        layout = lay_out(text, reference.heard, len(answer.pairs), answer.codes)
        return layout, answer.pairs[: len(layout.pairs_at)].float()
