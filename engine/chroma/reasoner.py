"""The Reasoner behind one interface: a prompt in, pairs out, as many answers at once as there are.

`LocalReasoner` runs it in this process. What another way of running it (SGLang) has to keep is `Reasoner`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from engine.chroma.speaker import Pair


@dataclass(frozen=True, slots=True)
class ReasonerPrompt:
    """Token ids [T], with an audio token for each row of `sound` [n, hidden], in order.

    `marks` names each row of sound: the same name is the same row, in whatever prompt. Without, no sound of
    this prompt is known again. `im_end` ends the text of this answer; it is the checkpoint's own except in a
    parity case. The answer begins with the tokens of `forced`.
    """

    ids: list[int]
    sound: torch.Tensor | None
    im_end: int
    forced: tuple[int, ...] = ()
    marks: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Thought:
    """One text token of one answer. `pair.rows[0]` is the hidden state that predicted it."""

    request_id: str
    token: int
    pair: Pair


class Reasoner(Protocol):
    """Greedy text of many answers, one token at a time."""

    context: int
    """Most tokens of a prompt and its answer."""

    def start(self, request_id: str, prompt: ReasonerPrompt) -> int:
        """Begin an answer. Returns how many of the prompt's first tokens had been read before.
        Raises EngineError `context_length_exceeded` for a prompt that is too long."""

    def stop(self, request_id: str) -> None:
        """Forget an answer, whether it has ended or not; an unknown id is no error."""

    def turn(self, wanted: Collection[str]) -> list[Thought]:
        """Tokens that were made, at most one of each answer; what is wanted next is begun then.
        Never waits for the device. The token that ends a text is `last`."""

    def warm(self, prompt: ReasonerPrompt) -> None:
        """Read what a prompt to come will begin with. May do nothing; never raises for its length."""

    def weigh(self, prompt: ReasonerPrompt, one: Sequence[int], other: Sequence[int]) -> float:
        """Probability that the answer begins with a token of `one`, given that it begins with one of either.
        Raises as `start` does."""

    def kv(self) -> tuple[int, int]:
        """Tokens whose keys and values it holds, and how many it could."""

    def embed(self, ids: list[int]) -> torch.Tensor:
        """Text embeddings [T, hidden], for the voice prompt."""
