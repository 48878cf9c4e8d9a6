"""A prompt read by recorded steps, some positions at a time.

Read as it is, each of 36 layers is some dozens of launches: the host takes longer for them than the GPU does,
and nobody has a frame meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from engine.chroma.graphs import Graphs, fit
from engine.chroma.llama import KvPool, LlamaStack
from engine.chroma.readback import send
from engine.progress import Progress

SIZES = (16, 64, 256)
"""Positions of a piece; a shorter rest of a prompt is padded."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """What the host writes: `inputs` [positions, hidden], and int64 [3]: the slot, the position of the first,
    and which of them is the last that is real."""

    inputs: torch.Tensor
    numbers: torch.Tensor


class Pieces:
    """The steps of one language model over its slots.

    Args:
        contexts: positions that the recorded steps reach, ascending; the last is all that a slot holds.
    """

    def __init__(self, model: LlamaStack, pool: KvPool, contexts: Sequence[int], graphs: Graphs) -> None:
        self._model, self._pool, self._contexts, self._graphs = model, pool, contexts, graphs
        like, hidden = pool.keys, model.config.hidden
        self._pieces = {
            size: _Piece(
                torch.zeros(size, hidden, dtype=like.dtype, device=like.device),
                torch.zeros(3, dtype=torch.int64, device=like.device),
            )
            for size in SIZES
        }

    @property
    def shapes(self) -> int:
        """Steps to record."""
        return len(SIZES) * len(self._contexts)

    def record(self, spare: int, progress: Progress) -> None:
        """Record all steps; what they write meanwhile goes to the slot `spare`."""
        for size in reversed(SIZES):
            send(torch.tensor([spare, 0, 0]), self._pieces[size].numbers)
            for context in reversed(self._contexts):
                self._graphs.record(("piece", size, context), partial(self._step, size, context))
                progress.step()

    def read(self, inputs: torch.Tensor, slot: int, begin: int) -> torch.Tensor:
        """Read the embeddings [positions, hidden] of a prompt from `begin` on, at least one, into a slot that
        holds those before. Returns the hidden state [hidden] after the last."""
        while begin < len(inputs):
            count = min(len(inputs) - begin, SIZES[-1])
            size = fit(SIZES, count)
            piece = self._pieces[size]
            piece.inputs[:count] = inputs[begin : begin + count]
            # Nobody hears the padding; what is no number would be heard all the same.
            piece.inputs[count:] = 0
            send(torch.tensor([slot, begin, count - 1]), piece.numbers)
            begin += count
            context = fit(self._contexts, begin)
            (hidden,) = self._graphs.run(("piece", size, context), partial(self._step, size, context))
        # The next prompt is written over it.
        state: torch.Tensor = hidden[0].clone()
        return state

    def _step(self, size: int, context: int) -> tuple[torch.Tensor]:
        """The hidden state after the last real position of a piece, [1, hidden]."""
        piece = self._pieces[size]
        slot, start, last = piece.numbers.split(1)
        return (self._model(piece.inputs[None], self._pool, slot, start, context)[0, last],)
