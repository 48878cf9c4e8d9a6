"""Frames as nano itself draws them, for the codec's decoder to learn the sound of.

A voice that draws its codes makes others than those of a recording: its own past is all it has. A decoder
that never met them loses words of them that it keeps of recordings.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from transformers import DynamicCache

from engine.chroma.schedule import Schedule, ends_answer
from training.codec.encoder import Ear
from training.corpus.synthesis import log
from training.shapes import CODEBOOKS, WIDTH
from training.speech.data import Answer, recorded
from training.speech.layout import EOS_FRAME
from training.speech.model import SpeechModel
from training.tokens import Encoder

_TOGETHER = 32
"""Answers of as many words in one voice, so that their rows have one shape."""
_LONGEST = 188
"""Frames: 15 s."""
_EOS = int(EOS_FRAME[0, 0])


class Speaker:
    """Backbone and Decoder, drawing answers in batches.

    Args:
        table: the Reasoner's embeddings [vocabulary, width].
        states: hidden states [N, width] that pairs draw theirs from, as in training.
        temperatures: of codebook 0 and of the others.
    """

    def __init__(
        self,
        model: SpeechModel,
        table: torch.Tensor,
        states: torch.Tensor,
        *,
        temperatures: tuple[float, float],
        top_k: int,
        seed: int,
    ) -> None:
        self._model, self._table, self._states = model.eval(), table, states
        self._temperatures, self._top_k = temperatures, top_k
        self._generator = torch.Generator().manual_seed(seed)

    @torch.inference_mode()
    def __call__(self, text: np.ndarray, reference: np.ndarray, words: np.ndarray) -> list[np.ndarray]:
        """Answers in a reference's voice, each int64 [n, 8].

        Args:
            text: ids of the reference's transcript with `text_start` and `text_end` around it.
            reference: its codes [n, 8].
            words: the answers' text ids, `im_end` included: int64 [B, pairs].
        """
        model, batch = self._model, len(words)
        heard = model.embed(torch.from_numpy(reference)).sum(1)
        prefix = torch.cat((self._table[text], heard, torch.zeros(1, WIDTH)))
        cache = DynamicCache()
        self._hear(prefix[None], cache)
        cache.batch_repeat_interleave(batch)
        schedule, pairs = Schedule(position=len(prefix)), 0
        frames: list[torch.Tensor] = []
        over = torch.zeros(batch, dtype=torch.bool)
        while not over.all() and len(frames) < _LONGEST:
            inputs = [model.embed(frames[-1]).sum(1, keepdim=True)] if frames else []
            if schedule.wants_pair:
                ids = torch.from_numpy(words[:, pairs])
                thought = self._states[torch.randint(len(self._states), (batch,), generator=self._generator)]
                inputs += [thought[:, None], self._table[ids][:, None]]
                pairs += 1
            schedule.advance(last_pair=pairs == words.shape[1])
            frames.append(self._frame(self._hear(torch.cat(inputs, dim=1), cache)))
            over |= ends_answer(frames[-1], _EOS)
        return [_until_over(codes) for codes in torch.stack(frames, dim=1).numpy()]

    def _hear(self, inputs: torch.Tensor, cache: DynamicCache) -> torch.Tensor:
        """The Backbone's hidden state behind the last of some positions [B, T, width]."""
        hidden: torch.Tensor = self._model.backbone.model(
            inputs_embeds=inputs, past_key_values=cache, use_cache=True
        ).last_hidden_state
        return hidden[:, -1]

    def _frame(self, hidden: torch.Tensor) -> torch.Tensor:
        codes = torch.zeros(len(hidden), CODEBOOKS, dtype=torch.int64)
        codes[:, 0] = self._draw(self._model.codebook0(hidden), self._temperatures[0])
        for book in range(1, CODEBOOKS):
            logits = self._model.codebooks(hidden, codes)[:, book - 1]
            codes[:, book] = self._draw(logits, self._temperatures[1])
        return codes

    def _draw(self, logits: torch.Tensor, temperature: float) -> torch.Tensor:
        best, ids = (logits / temperature).topk(self._top_k)
        drawn = torch.multinomial(best.softmax(-1), 1, generator=self._generator)
        return ids.gather(1, drawn)[:, 0]


def _until_over(codes: np.ndarray) -> np.ndarray:
    over = np.flatnonzero(ends_answer(torch.from_numpy(codes), _EOS).numpy())
    return codes[: over[0]] if len(over) else codes


def draw_frames(
    speaker: Speaker, answers: Sequence[Answer], encoder: Encoder, ear: Ear, *, frames: int, seed: int = 53
) -> np.ndarray:
    """At least so many frames, answers behind each other, as many of each voice: int64 [N, 8]."""
    made: list[np.ndarray] = []
    for text, reference, words in _batches(answers, encoder, ear, random.Random(seed)):
        made += speaker(text, reference, words)
        count = sum(map(len, made))
        log(f"drawn: {count} of {frames} frames")
        if count >= frames:
            return np.concatenate(made)
    raise AssertionError("batches have no end")


def _batches(
    answers: Sequence[Answer], encoder: Encoder, ear: Ear, rng: random.Random
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """A reference and answers of one voice and as many words, for ever: see `Speaker`."""
    by_length: dict[str, dict[int, list[Answer]]] = defaultdict(lambda: defaultdict(list))
    references: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        by_length[answer.voice][len(answer.ids)].append(answer)
        if answer.may_refer:
            references[answer.voice].append(answer)
    while True:
        for voice, lengths in by_length.items():
            reference = rng.choice(references[voice])
            some = rng.choices(list(lengths.values()), [len(each) for each in lengths.values()])[0]
            drawn = rng.sample(some, min(_TOGETHER, len(some)))
            heard = ear(recorded(reference.sounds[reference.index], rng))
            yield reference.transcript(encoder), heard, np.array([answer.ids for answer in drawn])
