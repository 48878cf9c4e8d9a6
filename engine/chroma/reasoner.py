"""The Reasoner behind one interface: a prompt in, pairs out, as many answers at once as there are.

`LocalReasoner` runs it in this process, `SglangReasoner` in one of SGLang's; both keep `Reasoner`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import torch

from engine.api import EngineError
from engine.chroma.speaker import Pair


@dataclass(frozen=True, slots=True)
class ReasonerPrompt:
    """Token ids [T], with an audio token for each row of `sound` [n, hidden], in order.

    `marks` names each row of sound: the same name is the same row, in whatever prompt. Without, no sound of
    this prompt is known again. `im_end` ends the text of this answer; it is the checkpoint's own except in a
    parity case; -1: nothing ends it. The answer begins with the tokens of `forced`. More than `most` tokens
    of it will not be asked for.
    """

    ids: list[int]
    sound: torch.Tensor | None
    im_end: int
    forced: tuple[int, ...] = ()
    marks: tuple[object, ...] = ()
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Thought:
    """One text token of one answer. `pair.rows[0]` is the hidden state that predicted it. With the first one
    comes `kept`: how many of the prompt's first tokens had been read before."""

    request_id: str
    token: int
    pair: Pair
    kept: int | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer of which no more will come, and why."""

    request_id: str
    error: EngineError


class Reasoner(Protocol):
    """Greedy text of many answers, one token at a time."""

    context: int
    """Most tokens of a prompt and its answer."""

    def start(self, request_id: str, prompt: ReasonerPrompt) -> None:
        """Begin an answer. Raises EngineError: `context_length_exceeded` for a prompt that is too long,
        `reasoner_restarting` where none can be begun just now."""

    def stop(self, request_id: str) -> None:
        """Forget an answer, whether it has ended or not; an unknown id is no error."""

    def turn(self, wanted: Collection[str]) -> Sequence[Thought | Failure]:
        """Tokens that were made, at most one of each answer; what is wanted next is begun then.
        Never waits for the device. The token that ends a text is `last`."""

    def warm(self, prompt: ReasonerPrompt) -> None:
        """Read what a prompt to come will begin with. May do nothing; never raises for its length."""

    def weigh(self, prompt: ReasonerPrompt, one: Sequence[int], other: Sequence[int]) -> Future[float]:
        """Probability that the answer begins with a token of `one`, given that it begins with one of either.
        Raises as `start` does, or the future does."""

    def kv(self) -> tuple[int, int]:
        """Tokens whose keys and values it holds, and how many it could."""

    def embed(self, ids: list[int]) -> torch.Tensor:
        """Text embeddings [T, hidden], for the voice prompt."""

    def close(self) -> None:
        """Nothing is asked of it any more."""


def check_length(prompt: ReasonerPrompt, context: int) -> None:
    """Raises EngineError `context_length_exceeded`, unless a prompt leaves room for an answer."""
    if len(prompt.ids) >= context:
        raise EngineError(
            "context_length_exceeded",
            f"the conversation has {len(prompt.ids)} tokens; this model holds {context} with its"
            " answer: delete items or start a new session",
        )
