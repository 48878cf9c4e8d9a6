"""The tower alone: each embedding learns to be the language model's own embedding of the word that ends
there, or of the audio token where none does. What it hears then reads like text with blanks between."""

from __future__ import annotations

import random
from collections import Counter
from itertools import accumulate
from pathlib import Path

import torch
from torch import nn
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniAudioEncoderConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder

from training.corpus.build import Questions
from training.reasoner.sound import Heard, Hearer
from training.run import ATTENTION, Run, half, load_stage, pick_device
from training.shapes import tower_config
from training.tokens import Encoder

_BATCH = 20
_CONFIDENCE = 14.0
"""Logit of a token whose embedding is met exactly."""
_BLANKS = 0.25
"""Most embeddings are blank: this share of those counts, as much each as a word."""
_MASKED = 0.25
"""Share of sounds with holes in time and frequency."""


def build_tower() -> Qwen2_5OmniAudioEncoder:
    """The very module that the engine runs, with new weights."""
    tower = Qwen2_5OmniAudioEncoder._from_config(
        Qwen2_5OmniAudioEncoderConfig(**tower_config()), attn_implementation=ATTENTION
    )
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
    some = (targets != blank) | (torch.rand(len(targets), device=targets.device) < _BLANKS)
    out, targets = out[some], targets[some]
    logits = out @ table.T * (_CONFIDENCE / square)
    words = targets != blank
    entropy = nn.functional.cross_entropy(logits, targets)
    distance = (out - table[targets]).square().sum(1).mean() / square
    right = float((logits.argmax(1) == targets)[words].float().mean())
    return entropy + 0.3 * distance, right


class QuestionDraw:
    """Conversations of the corpus at random, each question as `Heard`, and time and frequency masked."""

    def __init__(self, questions: Questions, encoder: Encoder, seed: int) -> None:
        self._questions, self._encoder = questions, encoder
        self._rng = random.Random(seed)
        self._hearer = Hearer(encoder.audio, seed)
        self._asked = [each.user for talk in questions.conversations for each in talk.exchanges]
        count = Counter(word for user in self._asked for word in user.split())
        self._rarity = list(
            accumulate(
                sum(count[word] ** -0.5 for word in user.split()) / ends[-1]
                for user, ends in zip(self._asked, questions.word_ends, strict=True)
            )
        )

    def rare(self) -> Heard:
        """A question, the likelier the rarer its words are and the shorter it is."""
        (sound,) = self._rng.choices(range(len(self._asked)), cum_weights=self._rarity)
        return self._hear(sound, self._asked[sound])

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
        if self._rng.random() < _MASKED:
            low, at = (self._rng.randrange(size) for size in heard.mel.shape)
            heard.mel[low : low + self._rng.randrange(18)] = heard.mel.mean()
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
    run = Run(folder, "tower", tower, seconds=seconds, rate=5e-4, warmup=100)
    draw = QuestionDraw(questions, encoder, seed + run.step)
    while not run.over:
        heard = [draw.rare() for _ in range(_BATCH)]
        targets = torch.cat([each.targets for each in heard]).to(device)
        with half(device):
            loss, right = listening_loss(hear(tower, heard, device), targets, table, encoder.audio)
        run.take(loss, words=right)
    run.keep()
