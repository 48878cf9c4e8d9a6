"""The Reasoner behind one interface: a prompt in, pairs out, as many answers at once as there are.

`TransformersReasoner` runs it in this process. What another way of running it (SGLang) has to keep is
`Reasoner` alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn
from transformers import DynamicCache
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniThinkerConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniThinkerTextModel

from engine.api import EngineError
from engine.chroma.checkpoint import Checkpoint
from engine.chroma.config import ChromaConfig
from engine.chroma.modules import load_pretrained
from engine.chroma.speaker import Pair

_HEAD = "thinker.lm_head.weight"


@dataclass(frozen=True, slots=True)
class ReasonerPrompt:
    """Token ids [T], with an audio token for each row of `sound` [n, hidden], in order.

    `im_end` ends the text of this answer; it is the checkpoint's own except in a parity case. The answer
    begins with the tokens of `forced`.
    """

    ids: list[int]
    sound: torch.Tensor | None
    im_end: int
    forced: tuple[int, ...] = ()


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

    def start(self, request_id: str, prompt: ReasonerPrompt) -> None:
        """Begin an answer. Raises EngineError `context_length_exceeded` for a prompt that is too long."""

    def stop(self, request_id: str) -> None:
        """Forget an answer, whether it has ended or not; an unknown id is no error."""

    def turn(self, wanted: Collection[str]) -> list[Thought]:
        """Make (at most) one token for each answer that is wanted; the one that ends a text is `last`."""

    def weigh(self, prompt: ReasonerPrompt, one: Sequence[int], other: Sequence[int]) -> float:
        """Probability that the answer begins with a token of `one`, given that it begins with one of either.
        Raises as `start` does."""

    def embed(self, ids: list[int]) -> torch.Tensor:
        """Text embeddings [T, hidden], for the voice prompt."""


@dataclass(slots=True)
class _Answer:
    prompt: ReasonerPrompt
    cache: DynamicCache
    token: int | None = None
    length: int = 0


class TransformersReasoner:
    """The thinker's language model by transformers, each answer with a cache of its own.

    The positions of text and sound alike are 0, 1, 2, … (the three sections of mRoPE agree here).
    """

    def __init__(
        self,
        config: ChromaConfig,
        thinker: Qwen2_5OmniThinkerConfig,
        checkpoint: Checkpoint,
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._device = device
        self._audio_token = config.audio_token
        self.context = thinker.text_config.max_position_embeddings
        self._model = load_pretrained(
            Qwen2_5OmniThinkerTextModel, thinker.text_config, checkpoint, "thinker.model.", dtype, device
        )
        self._embedding: nn.Embedding = self._model.embed_tokens
        tied = _HEAD not in checkpoint
        self._head = (
            self._embedding.weight if tied else next(iter(checkpoint.read(_HEAD, dtype, device).values()))
        )
        self._answers: dict[str, _Answer] = {}

    def start(self, request_id: str, prompt: ReasonerPrompt) -> None:
        self._check_length(prompt)
        self._answers[request_id] = _Answer(prompt, DynamicCache(config=self._model.config))

    def stop(self, request_id: str) -> None:
        self._answers.pop(request_id, None)

    @torch.inference_mode()
    def turn(self, wanted: Collection[str]) -> list[Thought]:
        return [self._think(request_id, self._answers[request_id]) for request_id in wanted]

    @torch.inference_mode()
    def weigh(self, prompt: ReasonerPrompt, one: Sequence[int], other: Sequence[int]) -> float:
        self._check_length(prompt)
        out = self._model(inputs_embeds=self._inputs(prompt)[None], use_cache=False)
        logits = (self._head @ out.last_hidden_state[0, -1]).float()
        weights = torch.stack([logits[list(tokens)].logsumexp(0) for tokens in (one, other)])
        return float(weights.softmax(0)[0])

    @torch.inference_mode()
    def embed(self, ids: list[int]) -> torch.Tensor:
        return self._embedding(torch.tensor(ids, device=self._device))

    def _think(self, request_id: str, answer: _Answer) -> Thought:
        inputs = self._inputs(answer.prompt) if answer.token is None else self.embed([answer.token])
        out = self._model(inputs_embeds=inputs[None], past_key_values=answer.cache, use_cache=True)
        hidden = out.last_hidden_state[0, -1]
        forced = answer.prompt.forced[answer.length : answer.length + 1]
        token = forced[0] if forced else int((self._head @ hidden).argmax())
        answer.token = token
        answer.length += 1
        # An answer that fills the context ends there, as if the model had said so.
        full = len(answer.prompt.ids) + answer.length >= self.context
        last = token == answer.prompt.im_end or full
        rows = torch.stack((hidden, self._embedding.weight[token]))
        return Thought(request_id, token, Pair(rows, last))

    def _inputs(self, prompt: ReasonerPrompt) -> torch.Tensor:
        inputs = self.embed(prompt.ids)
        if prompt.sound is not None:
            places = torch.tensor(prompt.ids, device=self._device) == self._audio_token
            inputs[places] = prompt.sound.to(inputs.dtype)
        return inputs

    def _check_length(self, prompt: ReasonerPrompt) -> None:
        if len(prompt.ids) >= self.context:
            raise EngineError(
                "context_length_exceeded",
                f"the conversation has {len(prompt.ids)} tokens; this model holds {self.context} with its"
                " answer: delete items or start a new session",
            )
