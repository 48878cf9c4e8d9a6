"""The language model on typed conversations, made anew for every batch."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniTextConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniThinkerTextModel

from training.batches import batches
from training.reasoner.sound import Heard
from training.run import ATTENTION, Run, Weights, half, pick_device
from training.shapes import text_config
from training.tokens import Encoder
from training.world.conversation import converse, converse_hard
from training.world.exchange import Conversation

_TOKENS = 1800
_POOL = 160
_HARD_SHARE = 0.5
_MURMURED = 0.5
"""Share of conversations that come as the tower will tell them."""
_BLURRED, _MOST_BLURRED = 0.5, 0.6
"""Share of murmured tokens that are told unclearly, and the largest share of another word in one of those."""
LOUDNESS = 16.0
"""Embeddings are learned with an RMS of 0.06 to 0.1, and a layer writes a hundred times as much beside them:
behind the first one, a token can hardly be told from another. So the language model hears them this many
times as loud while it is trained (see `quiet`)."""
_WRITERS = ("self_attn.o_proj.weight", "mlp.down_proj.weight")


@dataclass(frozen=True, slots=True)
class Row:
    """Ids of a conversation, which of them are to be predicted, and what is heard where audio tokens are.

    Without `heard` the audio tokens of murmured questions are embedded like any other token.
    """

    ids: list[int]
    wanted: list[bool]
    heard: list[Heard] = field(default_factory=list)


def build_text_model() -> Qwen2_5OmniThinkerTextModel:
    """The very module that the engine runs, with new weights."""
    model = Qwen2_5OmniThinkerTextModel._from_config(
        Qwen2_5OmniTextConfig(**text_config()), attn_implementation=ATTENTION
    )
    return model.train()


def blurred(
    table: torch.Tensor, ids: torch.Tensor, encoder: Encoder, generator: torch.Generator
) -> torch.Tensor:
    """Embeddings [B, T, width] of conversations, murmured questions as ears tell them that are not sure.

    What the tower tells of a word that it half understood lies between the words that it may be.

    Args:
        table: [vocabulary, width]; ids: int64 [B, T].
    """
    embedded = table[ids]
    begun, ended = ((ids == encoder.id(mark)).cumsum(1) for mark in ("<|audio_bos|>", "<|audio_eos|>"))
    murmured = (begun > ended) & (ids != encoder.id("<|audio_bos|>"))
    words = ids[murmured & (ids != encoder.audio)]
    if not len(words):
        return embedded
    count = int(murmured.sum())
    others = words[torch.randint(len(words), (count,), generator=generator).to(words.device)]
    unclear = torch.rand(count, generator=generator) < _BLURRED
    share = (_MOST_BLURRED * torch.rand(count, generator=generator) * unclear).to(table)[:, None]
    embedded[murmured] = (1 - share) * embedded[murmured] + share * table[others]
    return embedded


def quiet(weights: Weights) -> Weights:
    """Weights for embeddings as they are, of a model that heard them `LOUDNESS` times as loud.

    Each layer writes so many times less, and everything is read through an RMSNorm (Zhang and Sennrich 2019),
    which tells no loudness: the same function.
    """
    return {
        name: weight / LOUDNESS if name.endswith(_WRITERS) else weight for name, weight in weights.items()
    }


def next_token_loss(
    model: Qwen2_5OmniThinkerTextModel, inputs: torch.Tensor, ids: torch.Tensor, wanted: torch.Tensor
) -> tuple[torch.Tensor, float]:
    """Cross entropy of the wanted tokens, and the share of them that is right.

    Args:
        inputs: float [B, T, width] embeddings of `ids`, those of sound in place.
        ids, wanted: int64 and bool [B, T].
    """
    hidden = model(inputs_embeds=inputs, use_cache=False).last_hidden_state[:, :-1]
    chosen = wanted[:, 1:]
    logits = hidden[chosen] @ model.embed_tokens.weight.T
    targets = ids[:, 1:][chosen]
    right = float((logits.argmax(-1) == targets).float().mean())
    return nn.functional.cross_entropy(logits, targets), right


def padded(rows: list[Row], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Conversations to ids [B, T] and wanted [B, T], padded at the end."""
    length = max(len(row.ids) for row in rows)
    ids = torch.zeros(len(rows), length, dtype=torch.int64)
    wanted = torch.zeros(len(rows), length, dtype=torch.bool)
    for index, row in enumerate(rows):
        ids[index, : len(row.ids)] = torch.tensor(row.ids)
        wanted[index, : len(row.ids)] = torch.tensor(row.wanted)
    return ids.to(device), wanted.to(device)


def row_batches(rng: random.Random, draw: Callable[[], Row]) -> Iterator[list[Row]]:
    """Conversations in batches of like length, about `_TOKENS` each."""
    return batches(rng, draw, lambda row: len(row.ids), most=_TOKENS, pool=_POOL)


def draw_talk(rng: random.Random, *, hard: float) -> Conversation:
    """A new conversation; `hard`: the share that is a short one of a hard skill."""
    return converse_hard(rng) if rng.random() < hard else converse(rng, rng.choice((1, 2, 2, 3, 4)))


def draw_conversation(rng: random.Random, encoder: Encoder, *, hard: float = 0.0) -> Row:
    """A new conversation as `draw_talk` makes it, typed or murmured."""
    conversation = draw_talk(rng, hard=hard)
    sounds: list[list[int]] = []
    if rng.random() < _MURMURED:
        sounds = [encoder.murmured(each.user, rng) for each in conversation.exchanges]
        if rng.random() < 0.2:
            sounds = [sound if rng.random() < 0.6 else [] for sound in sounds]
    return Row(*encoder.conversation(conversation, rng, sounds))


def train_text(folder: Path, encoder: Encoder, *, seconds: float, seed: int = 31) -> None:
    """Train a language model into `text.pt`. Its embeddings are what is kept of it."""
    torch.manual_seed(seed)
    model = build_text_model().to(pick_device())
    run = Run(folder, "text", model, seconds=seconds, rate=2e-3)
    _train(run, model, encoder, seed, hard=0.0, loudness=1.0)


def train_language(
    folder: Path, encoder: Encoder, table: torch.Tensor, *, seconds: float, seed: int = 34
) -> None:
    """Train the language model into `language.pt`, for embeddings that are `LOUDNESS` times as loud.

    Args:
        table: embeddings [vocabulary, width]. They stay as they are, for the tower and the Backbone learn on
            them meanwhile.
    """
    torch.manual_seed(seed)
    model = build_text_model()
    with torch.no_grad():
        model.embed_tokens.weight.copy_(table)
    model.embed_tokens.requires_grad_(False)
    model = model.to(pick_device())
    run = Run(folder, "language", model, seconds=seconds, rate=2e-3)
    _train(run, model, encoder, seed, hard=_HARD_SHARE, loudness=LOUDNESS)


def _train(
    run: Run,
    model: Qwen2_5OmniThinkerTextModel,
    encoder: Encoder,
    seed: int,
    *,
    hard: float,
    loudness: float,
) -> None:
    device = pick_device()
    rng = random.Random(seed + run.step)
    made = row_batches(rng, lambda: draw_conversation(rng, encoder, hard=hard))
    while not run.over:
        ids, wanted = padded(next(made), device)
        with half(device):
            loss, right = next_token_loss(model, loudness * model.embed_tokens(ids), ids, wanted)
        run.take(loss, right=right)
    run.keep()
