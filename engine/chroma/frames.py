"""Backbone and Decoder: from positions to one frame of codes (the reference's `modeling_chroma.py`)."""

from __future__ import annotations

import math

import torch
from torch import nn

from engine.chroma.checkpoint import Checkpoint
from engine.chroma.config import ChromaConfig, StackConfig
from engine.chroma.fused import fused
from engine.chroma.llama import KvPool, LlamaStack
from engine.chroma.modules import load_own
from engine.chroma.sampling import Draw, choose
from engine.settings import Weights

_TABLE = "audio_embedding.embed_audio_tokens.weight"
# The reference generates with one rotary position for the hidden state and codebook 0 together (its
# generate loop counts tokens, and the hidden state is none): positions 0, 0, 1, 2, … and not 0, 1, 2, 3.
DECODER_LAG = 1
LONGEST_STEP = 3
"""Positions of the longest step of a slot: an audio frame and a pair."""


class _Backbone(nn.Module):
    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.model = LlamaStack(config)
        self.codebook0_head = nn.Linear(config.hidden, config.vocab, bias=False)


class _CodebookHead(nn.Module):
    """One head for each of codebooks 1 to 7: [codebooks - 1, hidden, vocab]."""

    def __init__(self, config: StackConfig, codebooks: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(codebooks - 1, config.hidden, config.vocab))


class _Decoder(nn.Module):
    def __init__(self, config: StackConfig, wide: int, codebooks: int) -> None:
        super().__init__()
        self.projection = nn.Linear(wide, config.hidden, bias=False)
        self.model = LlamaStack(config)
        self.codebook_head = _CodebookHead(config, codebooks)


PARTS = ("backbone.", "decoder.", "decoder." + _TABLE.removesuffix("weight"))
"""Prefixes of the tensors of `empty_parts`."""


def empty_parts(config: ChromaConfig) -> tuple[_Backbone, _Decoder, nn.Embedding]:
    """Backbone, Decoder and audio embedding, for the weights to be put in."""
    width, vocab = config.backbone.hidden, config.backbone.vocab
    return (
        _Backbone(config.backbone),
        _Decoder(config.decoder, width, config.codebooks),
        nn.Embedding(config.codebooks * vocab, width),
    )


class FrameModel:
    """Backbone and Decoder with their shared audio embedding.

    Args:
        slots: rows that the key-value pools hold.
        positions: Backbone positions a slot holds; no more than the config allows.
    """

    def __init__(
        self,
        config: ChromaConfig,
        checkpoint: Checkpoint,
        *,
        slots: int,
        dtype: torch.dtype,
        device: torch.device,
        weights: Weights,
    ) -> None:
        self.config, self.dtype, self.device = config, dtype, device
        self.positions = config.backbone.positions
        self._load(checkpoint)
        # A padded row may write past its last position (see LlamaStack.forward). GPUs read masks by eights.
        room = math.ceil((self.positions + LONGEST_STEP) / 8) * 8
        self.backbone.model.prepare(room, dtype, device, weights)
        self.decoder.model.prepare(config.codebooks + 1, dtype, device, weights)
        self.pool = KvPool.of(config.backbone, slots, room, dtype, device)
        self._frame_pool = KvPool.of(config.decoder, slots, config.codebooks + 1, dtype, device)
        self._offsets = torch.arange(config.codebooks, device=device) * config.backbone.vocab

    def _load(self, checkpoint: Checkpoint) -> None:
        config = self.config
        with torch.device("meta"):
            backbone, decoder, table = empty_parts(config)
        of_backbone = checkpoint.read("backbone.", self.dtype, self.device)
        of_decoder = checkpoint.read("decoder.", self.dtype, self.device)
        # The two audio embeddings are one tensor, stored under either name or both.
        shared = of_decoder.get(_TABLE, of_backbone.get(_TABLE))
        self.backbone = load_own(backbone, of_backbone, checkpoint, "backbone.")
        self.decoder = load_own(decoder, of_decoder, checkpoint, "decoder.")
        found = {} if shared is None else {"weight": shared}
        self.table = load_own(table, found, checkpoint, "decoder." + _TABLE.removesuffix("weight")).weight

    def embed_frames(self, codes: torch.Tensor) -> torch.Tensor:
        """Sum of a frame's code embeddings: int64 [..., codebooks] to [..., hidden]."""
        return _summed(codes, self._offsets, self.table)

    def prefill(self, embeddings: torch.Tensor) -> KvPool:
        """Keys and values of a voice prompt [positions, hidden], as a pool of one slot."""
        length = embeddings.shape[0]
        pool = KvPool.of(self.config.backbone, 1, length, self.dtype, self.device)
        zero = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.backbone.model(embeddings[None].to(self.dtype), pool, None, zero, length)
        return pool

    def step(
        self,
        x: torch.Tensor,
        lengths: torch.Tensor,
        slots: torch.Tensor | None,
        start: torch.Tensor,
        context: int,
        draw: Draw,
    ) -> torch.Tensor:
        """One frame for each row.

        Args:
            x: [rows, length, hidden] what the Backbone hears, padded at the end.
            lengths: [rows] int64, real positions of each row.
            slots, start, context: as in `LlamaStack.forward`.
            draw: how to sample.

        Returns:
            int64 [rows, codebooks].
        """
        heard = self.backbone.model(x.to(self.dtype), self.pool, slots, start, context)
        rows = torch.arange(x.shape[0], device=self.device)
        hidden = heard[rows, lengths - 1]
        codes = [choose(self.backbone.codebook0_head(hidden), draw, 0)]
        inputs = torch.stack((hidden, nn.functional.embedding(codes[0], self.table)), dim=1)
        position = torch.zeros_like(start)
        for codebook in range(1, self.config.codebooks):
            end = codebook + 1
            out = self.decoder.model(
                self.decoder.projection(inputs), self._frame_pool, None, position, end, DECODER_LAG
            )
            head = self.decoder.codebook_head.weight[codebook - 1]
            codes.append(choose(out[:, -1] @ head, draw, codebook))
            inputs = nn.functional.embedding(codes[-1] + self._offsets[codebook], self.table)[:, None]
            position = torch.full_like(start, end)
        return torch.stack(codes, dim=1)


@fused
def _summed(codes: torch.Tensor, offsets: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    return nn.functional.embedding(codes + offsets, table).sum(-2)
