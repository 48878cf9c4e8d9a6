"""Backbone and Decoder as they are trained: transformers' Llama, with the names of the published layout."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import LlamaConfig, LlamaModel

from training.shapes import CODEBOOKS, WIDTH, backbone_config, decoder_config


def _llama(config: dict[str, Any]) -> LlamaModel:
    kept = {key: value for key, value in config.items() if key not in ("model_type", "vocab_size")}
    model = LlamaModel(LlamaConfig(**kept, vocab_size=1))
    # Its inputs are sums of embeddings that others make.
    model.embed_tokens = nn.Identity()
    return model


class Backbone(nn.Module):
    """Positions to codebook 0."""

    def __init__(self) -> None:
        super().__init__()
        config = backbone_config()
        self.model = _llama(config)
        self.codebook0_head = nn.Linear(WIDTH, config["vocab_size"], bias=False)


class _CodebookHead(nn.Module):
    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(CODEBOOKS - 1, width, vocabulary) * 0.02)


class _Table(nn.Module):
    def __init__(self, rows: int) -> None:
        super().__init__()
        self.embed_audio_tokens = nn.Embedding(rows, WIDTH)
        nn.init.normal_(self.embed_audio_tokens.weight, std=0.1)


class Decoder(nn.Module):
    """A Backbone's hidden state and codebook 0 to codebooks 1 to 7."""

    def __init__(self) -> None:
        super().__init__()
        config = decoder_config()
        self.projection = nn.Linear(WIDTH, config["hidden_size"], bias=False)
        self.model = _llama(config)
        self.codebook_head = _CodebookHead(config["hidden_size"], config["vocab_size"])
        self.audio_embedding = _Table(CODEBOOKS * config["vocab_size"])
        self.vocabulary = config["vocab_size"]


class SpeechModel(nn.Module):
    """Both, with the audio embedding that they share."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.decoder = Decoder()
        offsets = torch.arange(CODEBOOKS) * self.decoder.vocabulary
        self.offsets = nn.Buffer(offsets, persistent=False)
        # Rotary positions of the reference's Decoder: the hidden state and codebook 0 share the first.
        self.rotary = nn.Buffer((torch.arange(CODEBOOKS) - 1).clamp_min(0), persistent=False)

    def embed(self, codes: torch.Tensor) -> torch.Tensor:
        """Embeddings of each code: int64 [..., 8] to [..., 8, width]."""
        return self.decoder.audio_embedding.embed_audio_tokens(codes + self.offsets)

    def hear(self, inputs: torch.Tensor, rotary: torch.Tensor, hears: torch.Tensor) -> torch.Tensor:
        """The Backbone over whole rows [B, T, width].

        Args:
            rotary: int64 [B, T], positions.
            hears: bool [B, 1, T, T], which positions each one attends to.
        """
        mask = torch.zeros(hears.shape, device=inputs.device).masked_fill_(~hears, float("-inf"))
        return self.backbone.model(
            inputs_embeds=inputs, position_ids=rotary, attention_mask=mask, use_cache=False
        ).last_hidden_state

    def codebook0(self, hidden: torch.Tensor) -> torch.Tensor:
        """[N, width] to logits [N, vocabulary]."""
        return self.backbone.codebook0_head(hidden)

    def codebooks(self, hidden: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Teacher-forced logits of codebooks 1 to 7: [N, width] and int64 [N, 8] to [N, 7, vocabulary]."""
        inputs = torch.cat((hidden[:, None], self.embed(codes)[:, :-1]), dim=1)
        out = self.decoder.model(
            inputs_embeds=self.decoder.projection(inputs),
            position_ids=self.rotary[None].expand(len(inputs), -1),
            # Without a mask, transformers takes positions that do not count up by one for sequences packed
            # behind each other, and no codebook would see the hidden state.
            attention_mask=torch.ones(inputs.shape[:2], dtype=torch.int64, device=inputs.device),
            use_cache=False,
        ).last_hidden_state[:, 1:]
        return torch.einsum("nkw,kwv->nkv", out, self.decoder.codebook_head.weight)
