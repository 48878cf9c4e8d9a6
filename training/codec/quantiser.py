"""Mimi's split residual vector quantiser, as it is trained: k-means start, moving averages, no dead codes."""

from __future__ import annotations

import torch
from torch import nn
from transformers import MimiConfig
from transformers.models.mimi.modeling_mimi import (
    MimiEuclideanCodebook,
    MimiResidualVectorQuantizer,
    MimiSplitResidualVectorQuantizer,
)

_DECAY = 0.98
_DEAD = 0.03
"""A code that is used less than this share of an even one is given a new place."""
_COMMITMENT = 0.25


class TrainedQuantiser(nn.Module):
    """Quantises latents with gradients straight through, and moves the codebooks along.

    The weights live in transformers' own module (`split`), so they go into the checkpoint as they are.
    """

    def __init__(self, config: MimiConfig) -> None:
        super().__init__()
        self.split = MimiSplitResidualVectorQuantizer(config)
        self.started = nn.Buffer(torch.tensor(False))

    def forward(self, latent: torch.Tensor, books: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Quantise [N, width] with the first `books` books.

        Returns:
            quantised [N, width], the commitment loss, codes int64 [N, books].
        """
        semantic = self.split.semantic_residual_vector_quantizer
        acoustic = self.split.acoustic_residual_vector_quantizer
        out, loss, codes = self._residual(semantic, latent, 1)
        if books > 1:
            more, more_loss, more_codes = self._residual(acoustic, latent, books - 1)
            out, loss, codes = out + more, loss + more_loss, torch.cat((codes, more_codes), dim=1)
        if self.training:
            self.started.fill_(True)
        return out, loss, codes

    def _residual(
        self, quantiser: MimiResidualVectorQuantizer, latent: torch.Tensor, books: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        inside = latent @ quantiser.input_proj.weight[:, :, 0].T
        residual, total = inside, torch.zeros_like(inside)
        loss = latent.new_zeros(())
        codes = []
        for layer in quantiser.layers[:books]:
            codebook = layer.codebook
            if self.training and not self.started:
                self._start(codebook, residual.detach())
            chosen = torch.cdist(residual.detach(), codebook.embed).argmin(1)
            vectors = codebook.embed[chosen]
            loss = loss + _COMMITMENT * (residual - vectors).square().mean()
            if self.training:
                self._move(codebook, residual.detach(), chosen)
            residual = residual - vectors
            total = total + vectors
            codes.append(chosen)
        straight = inside + (total - inside).detach()
        return straight @ quantiser.output_proj.weight[:, :, 0].T, loss, torch.stack(codes, dim=1)

    @torch.no_grad()
    def _start(self, codebook: MimiEuclideanCodebook, vectors: torch.Tensor) -> None:
        """k-means, ten rounds, from vectors of the batch."""
        size = codebook.codebook_size
        means = vectors[torch.randperm(len(vectors))[:size]].clone()
        for _ in range(10):
            chosen = torch.cdist(vectors, means).argmin(1)
            counts = torch.bincount(chosen, minlength=size).float()
            sums = torch.zeros_like(means).index_add_(0, chosen, vectors)
            means = torch.where(counts[:, None] > 0, sums / counts[:, None].clamp_min(1), means)
        codebook.cluster_usage.copy_(torch.full((size,), len(vectors) / size))
        codebook.embed_sum.copy_(means * codebook.cluster_usage[:, None])
        codebook._embed = None

    @torch.no_grad()
    def _move(self, codebook: MimiEuclideanCodebook, vectors: torch.Tensor, chosen: torch.Tensor) -> None:
        size = codebook.codebook_size
        counts = torch.bincount(chosen, minlength=size).float()
        sums = torch.zeros_like(codebook.embed_sum).index_add_(0, chosen, vectors)
        codebook.cluster_usage.lerp_(counts, 1 - _DECAY)
        codebook.embed_sum.lerp_(sums, 1 - _DECAY)
        dead = codebook.cluster_usage < _DEAD * len(vectors) / size
        if dead.any():
            new = vectors[torch.randint(len(vectors), (int(dead.sum()),))]
            usage = len(vectors) / size
            codebook.cluster_usage[dead] = usage
            codebook.embed_sum[dead] = new * usage
        codebook._embed = None
