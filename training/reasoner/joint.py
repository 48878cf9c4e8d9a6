"""Language model and tower together, on spoken conversations and, so that nothing is lost, on typed ones."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from torch import nn

from training.corpus.build import Questions
from training.reasoner.hearing import QuestionDraw, build_tower, hear, listening_loss
from training.reasoner.text import (
    LOUDNESS,
    Row,
    blurred,
    build_text_model,
    draw_conversation,
    next_token_loss,
    padded,
    row_batches,
)
from training.run import Run, half, pick_device
from training.tokens import Encoder

_MORE_TYPED = 0.35
"""Share of conversations without sound; more of them than not are of what is hardest."""
_HARD_SHARE = 0.6


class ReasonerModel(nn.Module):
    """Both parts. The embeddings stay as they are: the Backbone listens to them. So does the tower, which
    loses more words than it finds when it is trained on answers."""

    def __init__(self) -> None:
        super().__init__()
        self.model = build_text_model()
        self.tower = build_tower()
        self.model.embed_tokens.requires_grad_(False)
        self.tower.requires_grad_(False)


class _SpokenDraw:
    """Conversations of the corpus as rows, most of them spoken."""

    def __init__(self, questions: Questions, encoder: Encoder, rng: random.Random) -> None:
        self._questions, self._encoder, self._rng = questions, encoder, rng
        self._draw = QuestionDraw(questions, encoder, rng.randrange(1 << 30))

    def __call__(self) -> Row:
        if self._rng.random() < _MORE_TYPED:
            return draw_conversation(self._rng, self._encoder, hard=_HARD_SHARE)
        index, heard = self._draw.conversation()
        sounds = [[self._encoder.audio] * len(each.targets) for each in heard]
        if self._rng.random() < 0.15:
            kept = self._rng.randrange(len(sounds))
            sounds = [sound if turn == kept else [] for turn, sound in enumerate(sounds)]
            heard = [heard[kept]]
        conversation = self._questions.conversations[index]
        return Row(*self._encoder.conversation(conversation, self._rng, sounds), heard)


def train_reasoner(
    folder: Path,
    questions: Questions,
    encoder: Encoder,
    language: dict[str, torch.Tensor],
    tower: dict[str, torch.Tensor],
    *,
    seconds: float,
    seed: int = 33,
) -> None:
    """Train into `reasoner.pt`, from both parts as they were trained alone."""
    torch.manual_seed(seed)
    device = pick_device()
    both = ReasonerModel()
    both.model.load_state_dict(language)
    both.tower.load_state_dict(tower)
    both = both.to(device).train()
    run = Run(folder, "reasoner", both, seconds=seconds, rate=3e-4, warmup=100)
    rng, generator = random.Random(seed + run.step), torch.Generator().manual_seed(seed + run.step)
    made = row_batches(rng, _SpokenDraw(questions, encoder, rng))
    while not run.over:
        rows = next(made)
        heard = [each for row in rows for each in row.heard]
        ids, wanted = padded(rows, device)
        inputs = blurred(both.model.embed_tokens.weight, ids, encoder, generator)
        figures = {}
        if heard:
            with half(device), torch.no_grad():
                out = hear(both.tower, heard, device).float()
                targets = torch.cat([each.targets for each in heard]).to(device)
                table = both.model.embed_tokens.weight
                figures["words"] = listening_loss(out, targets, table, encoder.audio)[1]
            spoken = torch.tensor([bool(row.heard) for row in rows], device=device)
            inputs = inputs.masked_scatter((spoken[:, None] & (ids == encoder.audio))[..., None], out)
        with half(device):
            loss, right = next_token_loss(both.model, LOUDNESS * inputs, ids, wanted)
        run.take(loss, right=right, **figures)
    run.keep()
