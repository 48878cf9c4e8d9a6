"""Choosing a code: greedy, or top-k with temperature as the reference samples (`sample_topk`).

The randomness is a hash of (seed, step, codebook, rank) computed on the device. So a row's draw depends
on its own request alone, never on the rows beside it, and no generator state has to be kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Draw:
    """How each row of a batch is sampled.

    `temperature` [rows] float32 (0 is greedy), `seed` [rows] int64, `step` [rows] int64 (frame number),
    `top_k` for all rows.
    """

    temperature: torch.Tensor
    seed: torch.Tensor
    step: torch.Tensor
    top_k: int


def _mix(x: torch.Tensor) -> torch.Tensor:
    """murmur3's 32-bit finaliser on the low half of int64: products stay exact in the bits kept."""
    x = (x ^ (x >> 16)) * 0x85EBCA6B & _MASK
    x = (x ^ (x >> 13)) * 0xC2B2AE35 & _MASK
    return x ^ (x >> 16)


def uniform(draw: Draw, codebook: int, count: int) -> torch.Tensor:
    """Numbers in (0, 1), float32 [rows, count], the same for the same (seed, step, codebook, rank)."""
    rank = torch.arange(count, device=draw.seed.device)
    state = _mix((draw.seed & _MASK) ^ 0x9E3779B9)
    state = _mix(state ^ (draw.seed >> 32 & _MASK))
    state = _mix(state ^ (draw.step & _MASK))
    state = _mix(state ^ codebook)
    bits = _mix(state[:, None] ^ _mix(rank[None, :] + 0x632BE59B)) >> 8
    return (bits.float() + 0.5) / (1 << 24)


def choose(logits: torch.Tensor, draw: Draw, codebook: int) -> torch.Tensor:
    """One code a row from [rows, vocab] logits: int64 [rows].

    Gumbel-max over the top-k logits divided by the temperature is a draw from their softmax.
    """
    logits = logits.float()
    greedy = logits.argmax(-1)
    values, codes = logits.topk(min(draw.top_k, logits.shape[-1]), dim=-1)
    gumbel = -torch.log(-torch.log(uniform(draw, codebook, values.shape[-1])))
    temperature = draw.temperature.clamp_min(1e-6)[:, None]
    picked = codes.gather(-1, (values / temperature + gumbel).argmax(-1, keepdim=True)).squeeze(-1)
    return torch.where(draw.temperature > 0, picked, greedy)
