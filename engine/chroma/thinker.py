"""The Reasoner in this process: Qwen2.5-Omni's language model over slots, all answers' tokens in one batch.

It is a Llama stack but for biases on q, k and v (transformers, `modeling_qwen2_5_omni.py`). The positions of
text and sound alike are 0, 1, 2, …: where the three sections of mRoPE agree, it is plain RoPE.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import nn

from engine.chroma.checkpoint import Checkpoint
from engine.chroma.config import ChromaConfig
from engine.chroma.graphs import Graphs, fit, rungs
from engine.chroma.llama import KvPool, LlamaStack
from engine.chroma.modules import load_own
from engine.chroma.pieces import Pieces
from engine.chroma.prefixes import Prefixes, keys_of
from engine.chroma.readback import Readback, moved, send
from engine.chroma.reasoner import ReasonerPrompt, Thought, check_length
from engine.chroma.speaker import Pair
from engine.progress import Progress
from engine.settings import Weights

HEAD = "thinker.lm_head.weight"
_PREFIX = "thinker.model."
_EMBEDDING = "embed_tokens.weight"
_PREFILL = 1024
"""Positions of a prompt that are read at once: the mask of all its heads grows with their square."""
_SHORTEST_CONTEXT = 512
"""Positions of the smallest steps that are recorded; the next are four times as long, and so on."""
LONGEST_CONTEXT = 8192
"""Positions that a slot holds at most, whatever the model could: of Chroma-4B's they take 36 KiB each."""


@dataclass(slots=True)
class _Answer:
    """`keys` names the tokens that its slot holds; `said` are those of the answer, the last not read yet."""

    prompt: ReasonerPrompt
    slot: int
    keys: np.ndarray
    kept: int
    said: list[int] = field(default_factory=list)

    @property
    def read(self) -> np.ndarray:
        """All that its slot holds by now."""
        if not self.said:
            return self.keys[: self.kept]
        return np.concatenate((self.keys, np.array(self.said[:-1], dtype=np.int64)))


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """One token of some answers that the device is making: `rows` are their pairs."""

    answers: list[tuple[str, _Answer]]
    rows: torch.Tensor
    tokens: Readback


PARTS = (_PREFIX, _PREFIX + "embed_tokens.")
"""Prefixes of the tensors of `empty_model`."""


def empty_model(config: ChromaConfig) -> tuple[LlamaStack, nn.Embedding]:
    """The language model and its embeddings, for the weights to be put in."""
    stack = config.reasoner
    return LlamaStack(stack, bias=True), nn.Embedding(stack.vocab, stack.hidden)


def _load(
    config: ChromaConfig, checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device
) -> tuple[LlamaStack, torch.Tensor]:
    """The language model and its table of embeddings [vocab, hidden]."""
    tensors = checkpoint.read(_PREFIX, dtype, device)
    with torch.device("meta"):
        model, embedding = empty_model(config)
    own = {"weight": tensors.pop(_EMBEDDING)} if _EMBEDDING in tensors else {}
    table = load_own(embedding, own, checkpoint, _PREFIX + "embed_tokens.").weight
    return load_own(model, tensors, checkpoint, _PREFIX), table


def text_table(
    config: ChromaConfig, checkpoint: Checkpoint, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """The embeddings of text alone [vocab, hidden]."""
    name = _PREFIX + "embed_tokens."
    with torch.device("meta"):
        embedding = nn.Embedding(config.reasoner.vocab, config.reasoner.hidden)
    return load_own(embedding, checkpoint.read(name, dtype, device), checkpoint, name).weight


class LocalReasoner:
    """See `Reasoner`.

    Args:
        slots: answers at once, and prompts that are kept beside them for the turns to come.
        batch: answers at once.
        context: most tokens of a prompt and its answer; None: what the model holds, up to LONGEST_CONTEXT.
    """

    def __init__(
        self,
        config: ChromaConfig,
        checkpoint: Checkpoint,
        *,
        slots: int,
        batch: int,
        context: int | None,
        dtype: torch.dtype,
        device: torch.device,
        weights: Weights,
        graphs: Graphs,
    ) -> None:
        stack = config.reasoner
        self._device, self._audio_token = device, config.audio_token
        self.context = min(context or LONGEST_CONTEXT, stack.positions)
        self._model, self._table = _load(config, checkpoint, dtype, device)
        self._model.prepare(self.context, dtype, device, weights)
        # Where it is tied to the embeddings, the checkpoint has no head of its own.
        self._head = next(iter(checkpoint.read(HEAD, dtype, device).values()), self._table)
        # The slot beyond the others is for what the padding of a step writes.
        self._pool = KvPool.of(stack, slots + 1, self.context, dtype, device)
        self._spare = slots
        self._prefixes = Prefixes(slots)
        self._answers: dict[str, _Answer] = {}
        self._under_way: _UnderWay | None = None
        self._unknown = itertools.count()
        self.graphs = graphs
        self._batches = rungs(batch)
        self._contexts = rungs(self.context, first=_SHORTEST_CONTEXT, factor=4)
        self._written: dict[int, torch.Tensor] = {}
        self._pieces: Pieces | None = None
        if graphs.on:
            self._pieces = Pieces(self._model, self._pool, self._contexts, graphs)
            self._record(self._pieces)

    def start(self, request_id: str, prompt: ReasonerPrompt) -> None:
        check_length(prompt, self.context)
        self._answers[request_id] = self._take(prompt)

    def stop(self, request_id: str) -> None:
        answer = self._answers.pop(request_id, None)
        if answer is not None:
            self._prefixes.let_go(answer.slot, answer.read)

    def turn(self, wanted: Collection[str]) -> list[Thought]:
        thoughts = self._collect()
        if self._under_way is None:
            over = {thought.request_id for thought in thoughts if thought.pair.last}
            self._begin([request_id for request_id in wanted if request_id not in over])
        # On a CPU it is there at once.
        return thoughts or self._collect()

    @torch.inference_mode()
    def _begin(self, wanted: Collection[str]) -> None:
        """Begin one token of each answer."""
        answers = [(request_id, self._answers[request_id]) for request_id in wanted]
        if not answers:
            return
        begun = [entry for entry in answers if entry[1].said]
        # A prefill is long beside a token: one at a time, so that running answers keep their pace.
        read = [entry for entry in answers if not entry[1].said][:1]
        made = []
        # Before the others' step: what that gives stands only until the next replay.
        if read:
            hidden = torch.stack([self._read(answer) for _, answer in read])
            forced = moved(torch.tensor([_forced(answer) for _, answer in read]), self._device)
            made.append(self._choose(hidden, forced))
        if begun:
            made.append(self._advance([answer for _, answer in begun]))
        tokens, rows = (torch.cat(parts) for parts in zip(*made, strict=True))
        self._under_way = _UnderWay([*read, *begun], rows, Readback(tokens))

    @torch.inference_mode()
    def warm(self, prompt: ReasonerPrompt) -> None:
        if len(prompt.ids) < self.context and self._prefixes.free:
            self._read_only(prompt)

    @torch.inference_mode()
    def weigh(self, prompt: ReasonerPrompt, one: Sequence[int], other: Sequence[int]) -> Future[float]:
        check_length(prompt, self.context)
        weighed: Future[float] = Future()
        logits = (self._head @ self._read_only(prompt)).float()
        weights = torch.stack([logits[list(tokens)].logsumexp(0) for tokens in (one, other)])
        weighed.set_result(float(weights.softmax(0)[0]))
        return weighed

    def close(self) -> None:
        pass

    def kv(self) -> tuple[int, int]:
        reading = sum(len(answer.keys) + len(answer.said) for answer in self._answers.values())
        return self._prefixes.kept + reading, self._spare * self.context

    def embed(self, ids: list[int]) -> torch.Tensor:
        return self._table[moved(torch.tensor(ids, dtype=torch.int64), self._device)]

    def _take(self, prompt: ReasonerPrompt) -> _Answer:
        sounds = 0 if prompt.sound is None else len(prompt.sound)
        marks = prompt.marks or [("unknown", next(self._unknown)) for _ in range(sounds)]
        keys = keys_of(prompt.ids, self._audio_token, marks)
        taken = self._prefixes.take(keys)
        if taken.source is not None:
            self._pool.copy(taken.source, taken.slot, taken.kept)
        return _Answer(prompt, taken.slot, keys, taken.kept)

    def _read_only(self, prompt: ReasonerPrompt) -> torch.Tensor:
        """Read a prompt that is not answered here, and keep it. Returns the hidden state after it."""
        answer = self._take(prompt)
        held = answer.read
        try:
            hidden = self._read(answer)
            held = answer.keys
        finally:
            self._prefixes.let_go(answer.slot, held)
        return hidden

    def _read(self, answer: _Answer) -> torch.Tensor:
        """Read the rest of a prompt. Returns the hidden state [hidden] after its last token."""
        inputs = self._inputs(answer.prompt)
        if self._pieces is not None:
            return self._pieces.read(inputs, answer.slot, answer.kept)
        slot = self._pool.slot(answer.slot)
        for begin in range(answer.kept, len(inputs), _PREFILL):
            some = inputs[begin : begin + _PREFILL]
            start = torch.full((1,), begin, dtype=torch.int64, device=self._device)
            hidden = self._model(some[None], slot, None, start, begin + len(some))[0, -1]
        return hidden

    def _advance(self, answers: Sequence[_Answer]) -> tuple[torch.Tensor, torch.Tensor]:
        """Read the last token of each. Returns the next ones and their pairs, as `_choose` does, good until
        the next replay."""
        start = [len(answer.keys) + len(answer.said) - 1 for answer in answers]
        rows, context = len(answers), max(start) + 1
        if self.graphs.on:
            rows, context = fit(self._batches, rows), fit(self._contexts, context)
        inputs = self._room(rows)
        self._write(inputs, answers, start)
        tokens, pairs = self.graphs.run((rows, context), partial(self._step, inputs, context))
        return tokens[: len(answers)], pairs[: len(answers)]

    def _write(self, inputs: torch.Tensor, answers: Sequence[_Answer], start: list[int]) -> None:
        """Move the last token of each answer, its slot, its position and what is forced next to the device.
        Rows that are left over read a token into the spare slot."""
        spare = inputs.shape[1] - len(answers)
        written = [
            [answer.said[-1] for answer in answers] + [0] * spare,
            [answer.slot for answer in answers] + [self._spare] * spare,
            start + [0] * spare,
            [_forced(answer) for answer in answers] + [0] * spare,
        ]
        send(torch.from_numpy(np.array(written, dtype=np.int64)), inputs)

    def _step(self, inputs: torch.Tensor, context: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Read one token of each row, and choose the next; int64 [4, rows] holds tokens, slots, positions and
        what is forced next."""
        tokens, slots, start, forced = inputs.unbind()
        hidden = self._model(self._table[tokens][:, None], self._pool, slots, start, context)[:, 0]
        return self._choose(hidden, forced)

    def _choose(self, hidden: torch.Tensor, forced: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The tokens after some hidden states [rows, hidden], int64 [rows], and their pairs [rows, 2,
        hidden]. `forced`: int64 [rows], the token that it has to be; -1: the likeliest."""
        tokens = torch.where(forced < 0, (hidden @ self._head.T).argmax(-1), forced)
        return tokens, torch.stack((hidden, self._table[tokens]), dim=1)

    def _room(self, rows: int) -> torch.Tensor:
        if rows not in self._written:
            self._written[rows] = torch.zeros(4, rows, dtype=torch.int64, device=self._device)
        return self._written[rows]

    @torch.inference_mode()
    def _record(self, pieces: Pieces) -> None:
        steps = len(self._batches) * len(self._contexts) + pieces.shapes
        progress = Progress("recording the Reasoner's steps", steps)
        pieces.record(self._spare, progress)
        for rows in reversed(self._batches):
            inputs = self._room(rows)
            self._write(inputs, [], [])
            for context in reversed(self._contexts):
                self.graphs.record((rows, context), partial(self._step, inputs, context))
                progress.step()

    def _collect(self) -> list[Thought]:
        """What the device has made, if it is there: the host never waits for it."""
        made = self._under_way
        if made is None or not made.tokens.here:
            return []
        self._under_way = None
        thoughts = []
        (tokens,) = made.tokens.result()
        for (request_id, answer), token, rows in zip(made.answers, tokens.tolist(), made.rows, strict=True):
            # It may have been stopped while its token was made.
            if self._answers.get(request_id) is not answer:
                continue
            answer.said.append(token)
            # An answer that fills the context ends there, as if the model had said so.
            full = len(answer.keys) + len(answer.said) >= self.context
            last = token == answer.prompt.im_end or full
            kept = answer.kept if len(answer.said) == 1 else None
            thoughts.append(Thought(request_id, token, Pair(rows, last), kept))
        return thoughts

    def _inputs(self, prompt: ReasonerPrompt) -> torch.Tensor:
        inputs = self.embed(prompt.ids)
        if prompt.sound is not None:
            # Found on the host: the device would have to be waited for.
            places = np.flatnonzero(np.array(prompt.ids) == self._audio_token)
            inputs[moved(torch.from_numpy(places), self._device)] = prompt.sound.to(inputs.dtype)
        return inputs


def _forced(answer: _Answer) -> int:
    """The next token of an answer, where its prompt says so; else -1."""
    said = len(answer.said)
    return answer.prompt.forced[said] if said < len(answer.prompt.forced) else -1
