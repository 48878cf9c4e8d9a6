"""The tower alone: each embedding learns to be the language model's own embedding of the word that ends
there, or of the audio token where none does. What it hears then reads like text with blanks between."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from torch import nn
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniAudioEncoderConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder

from training.corpus.build import Questions
from training.reasoner.sound import Heard, Hearer
from training.run import Run, load_stage, pick_device
from training.shapes import tower_config
from training.tokens import Encoder

_BATCH = 24
_CONFIDENCE = 14.0
"""Logit of a token whose embedding is met exactly."""
_WORDS_WEIGHT = 4.0
"""Most embeddings are blank: the others count so much more."""


def build_tower() -> Qwen2_5OmniAudioEncoder:
    """The very module that the engine runs, with new weights."""
    tower = Qwen2_5OmniAudioEncoder._from_config(Qwen2_5OmniAudioEncoderConfig(**tower_config()))
    tower.audio_bos_eos_token.requires_grad_(False)
    return tower.train()


def hear(tower: Qwen2_5OmniAudioEncoder, heard: list[Heard], device: torch.device) -> torch.Tensor:
    """All embeddings of some sounds one after another: [sum of counts, width]."""
    lengths = torch.tensor([each.mel.shape[1] for each in heard], device=device)
    mel = torch.cat([each.mel for each in heard], dim=1).to(device)
    return tower(mel, feature_lens=lengths).last_hidden_state


def listening_loss(
    out: torch.Tensor, targets: torch.Tensor, table: torch.Tensor, blank: int
) -> tuple[torch.Tensor, float]:
    """How far the embeddings are from telling their words, and the share of words that they tell.

    Args:
        out: float [N, width]; targets: int64 [N].
        table: the language model's embeddings [vocabulary, width], not trained here.
    """
    square = table.square().sum(1).mean()
    logits = out @ table.T * (_CONFIDENCE / square)
    words = targets != blank
    weight = torch.where(words, _WORDS_WEIGHT, 1.0)
    entropy = (nn.functional.cross_entropy(logits, targets, reduction="none") * weight).sum() / weight.sum()
    distance = (out - table[targets]).square().sum(1).mean() / square
    right = float((logits.argmax(1) == targets)[words].float().mean())
    return entropy + 0.3 * distance, right


class QuestionDraw:
    """Conversations of the corpus at random, each question as `Heard`, and time and frequency masked."""

    def __init__(self, questions: Questions, encoder: Encoder, seed: int) -> None:
        self._questions, self._encoder = questions, encoder
        self._rng = random.Random(seed)
        self._hearer = Hearer(encoder.audio, seed)

    def conversation(self) -> tuple[int, list[Heard]]:
        """Its index and what is heard of each of its questions."""
        index = self._rng.randrange(len(self._questions.conversations))
        first = self._questions.first[index]
        return index, [
            self._hear(first + turn, exchange.user)
            for turn, exchange in enumerate(self._questions.conversations[index].exchanges)
        ]

    def _hear(self, sound: int, user: str) -> Heard:
        heard = self._hearer(
            self._questions.sounds[sound], self._questions.word_ends[sound], self._encoder.heard(user)
        )
        for _ in range(self._rng.randrange(3)):
            low = self._rng.randrange(heard.mel.shape[0])
            heard.mel[low : low + self._rng.randrange(18)] = heard.mel.mean()
        if self._rng.random() < 0.5:
            at = self._rng.randrange(heard.mel.shape[1])
            heard.mel[:, at : at + self._rng.randrange(12)] = heard.mel.mean()
        return heard


def train_tower(
    folder: Path, questions: Questions, encoder: Encoder, *, seconds: float, seed: int = 32
) -> None:
    """Train into `tower.pt`, against the embeddings in `text.pt`."""
    torch.manual_seed(seed)
    device = pick_device()
    tower = build_tower().to(device)
    table = load_stage(folder, "text")["embed_tokens.weight"].float().to(device)
    run = Run(folder, "tower", tower, seconds=seconds, rate=1.2e-3, warmup=150)
    draw = QuestionDraw(questions, encoder, seed + run.step)
    while not run.over:
        heard: list[Heard] = []
        while len(heard) < _BATCH:
            heard += draw.conversation()[1]
        targets = torch.cat([each.targets for each in heard]).to(device)
        loss, right = listening_loss(hear(tower, heard, device), targets, table, encoder.audio)
        run.take(loss, words=right)
    run.keep()
