"""The language model on what the tower tells of spoken conversations and, so that nothing is lost, on typed
ones.

The tower stays as it is: it loses more words than it finds when it is trained on answers. So do the
embeddings, for the Backbone listens to them.
"""

from __future__ import annotations

import random
from pathlib import Path

import torch

from training.reasoner.asked import Asked
from training.reasoner.hearing import build_tower, hear, listening_loss, placed
from training.reasoner.text import (
    LOUDNESS,
    Row,
    blurred,
    build_text_model,
    draw_conversation,
    draw_talk,
    next_token_loss,
    padded,
    row_batches,
)
from training.run import Run, half, pick_device
from training.tokens import Encoder

_MORE_TYPED = 0.35
"""Share of conversations without sound."""
_HARD_TYPED, _HARD_SPOKEN = 0.6, 0.45
"""Shares of them that are of what is hardest."""


class _SpokenDraw:
    """Conversations as rows, most of them spoken."""

    def __init__(self, encoder: Encoder, rng: random.Random) -> None:
        self._encoder, self._rng = encoder, rng
        self._asked = Asked(encoder, rng)

    def __call__(self) -> Row:
        if self._rng.random() < _MORE_TYPED:
            return draw_conversation(self._rng, self._encoder, hard=_HARD_TYPED)
        conversation = draw_talk(self._rng, hard=_HARD_SPOKEN)
        heard = self._asked.conversation(conversation)
        sounds = [[self._encoder.audio] * len(each.targets) for each in heard]
        if self._rng.random() < 0.15:
            kept = self._rng.randrange(len(sounds))
            sounds = [sound if turn == kept else [] for turn, sound in enumerate(sounds)]
            heard = [heard[kept]]
        return Row(*self._encoder.conversation(conversation, self._rng, sounds), heard)


def train_reasoner(
    folder: Path,
    encoder: Encoder,
    language: dict[str, torch.Tensor],
    tower: dict[str, torch.Tensor],
    *,
    seconds: float,
    seed: int = 33,
) -> None:
    """Train the language model into `reasoner.pt`, from where it was trained alone.

    Args:
        language, tower: states of the language model and of the tower.
    """
    torch.manual_seed(seed)
    device = pick_device()
    model, ears = build_text_model(), build_tower()
    model.load_state_dict(language)
    ears.load_state_dict(tower)
    model.embed_tokens.requires_grad_(False)
    model, ears = model.to(device), ears.to(device)
    table = model.embed_tokens.weight
    run = Run(folder, "reasoner", model, seconds=seconds, rate=3e-4, warmup=100)
    rng, generator = random.Random(seed + run.step), torch.Generator().manual_seed(seed + run.step)
    made = row_batches(rng, _SpokenDraw(encoder, rng))
    while not run.over:
        rows = next(made)
        heard = [each for row in rows for each in row.heard]
        ids, wanted = padded(rows, device)
        inputs = blurred(table, ids, encoder, generator)
        figures = {}
        if heard:
            with half(device), torch.no_grad():
                out = hear(ears, heard, device).float()
                targets = placed(out, heard, table, encoder.audio).to(device)
                figures["words"] = listening_loss(out, targets, table, encoder.audio)[1]
            spoken = torch.tensor([bool(row.heard) for row in rows], device=device)
            inputs = inputs.masked_scatter((spoken[:, None] & (ids == encoder.audio))[..., None], out)
        with half(device):
            loss, right = next_token_loss(model, LOUDNESS * inputs, ids, wanted)
        run.take(loss, right=right, **figures)
    run.keep()
