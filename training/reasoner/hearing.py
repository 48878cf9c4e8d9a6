"""The tower alone: each embedding learns to be the language model's own embedding of the word that ends
there, or of the audio token where none does. What it hears then reads like text with blanks between."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniAudioEncoderConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder

from training.reasoner.asked import Asked
from training.reasoner.sound import Heard
from training.run import ATTENTION, Run, half, load_stage, pick_device
from training.shapes import tower_config
from training.tokens import Encoder

_BATCH = 20
_CONFIDENCE = 14.0
"""Logit of a token whose embedding is met exactly."""
_BLANKS = 0.25
"""Most embeddings are blank: this share of those counts, as much each as a word."""
_NEAR = 2
"""A word may be told so many embeddings before or behind the one in which espeak-ng ended it."""


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


def placed(out: torch.Tensor, heard: list[Heard], table: torch.Tensor, blank: int) -> torch.Tensor:
    """Targets [N], each word at the place near its end where the tower tells it best, all in their order.

    To a place that half of the voices miss by one, an embedding is learned that is half a word and half
    blank, twice, and read as neither. The best way to place them is found by dynamic programming (Viterbi).

    Args:
        out: float [N, width]; table: [vocabulary, width].
    """
    targets = torch.cat([each.targets for each in heard])
    ends = (targets != blank).nonzero()[:, 0]
    if not len(ends):
        return targets
    words = targets[ends]
    sound = torch.repeat_interleave(torch.arange(len(heard)), torch.tensor([len(e.targets) for e in heard]))
    places = ends[:, None] + torch.arange(-_NEAR, _NEAR + 1)
    inside = places.clamp(0, len(targets) - 1)
    told = out.detach().float().cpu()[inside]
    directions = (table[words] - table[blank]).float().cpu()
    gains = (told * directions[:, None]).sum(-1)
    gains[(places != inside) | (sound[inside] != sound[ends][:, None])] = -torch.inf
    targets = targets.clone()
    targets[ends] = blank
    targets[_best(gains.numpy(), places.numpy())] = words
    return targets


def _best(gains: np.ndarray, places: np.ndarray) -> np.ndarray:
    """A place for each word [W], of `places` [W, P] with their `gains`, so that they ascend and gain most."""
    came = np.zeros(gains.shape, dtype=np.int64)
    total = gains[0]
    for word in range(1, len(gains)):
        reached = np.where(places[word - 1][None, :] < places[word][:, None], total[None, :], -np.inf)
        came[word] = reached.argmax(1)
        total = gains[word] + reached.max(1)
    way = [int(total.argmax())]
    for word in range(len(gains) - 1, 0, -1):
        way.append(int(came[word, way[-1]]))
    return places[np.arange(len(gains)), way[::-1]]


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


def train_tower(folder: Path, encoder: Encoder, *, seconds: float, seed: int = 32) -> None:
    """Train into `tower.pt`, against the embeddings in `text.pt`."""
    torch.manual_seed(seed)
    device = pick_device()
    tower = build_tower().to(device)
    table = load_stage(folder, "text")["embed_tokens.weight"].float().to(device)
    run = Run(folder, "tower", tower, seconds=seconds, rate=5e-4, warmup=100)
    asked = Asked(encoder, random.Random(seed + run.step))
    while not run.over:
        heard = [asked.mixed() for _ in range(_BATCH)]
        with half(device):
            out = hear(tower, heard, device)
            targets = placed(out, heard, table, encoder.audio).to(device)
            loss, right = listening_loss(out, targets, table, encoder.audio)
        run.take(loss, words=right)
    run.keep()
