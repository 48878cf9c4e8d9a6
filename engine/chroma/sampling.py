"""Choosing a code: greedy, or top-k with temperature as the reference samples (`sample_topk`).

The randomness is a hash of (seed, step, codebook, rank) computed on the device. So a row's draw depends
on its own request alone, never on the rows beside it, and no generator state has to be kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from engine.chroma.fused import fused

_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Draw:
    """How one frame of each row is sampled: `temperature` and `top_p` [rows] float32 (temperature 0 is
    greedy, top_p 1 leaves all), and Gumbel noise float32 [codebooks, rows, top_k]."""

    temperature: torch.Tensor
    top_p: torch.Tensor
    gumbel: torch.Tensor


def draw(
    temperature: torch.Tensor,
    top_p: torch.Tensor,
    seed: torch.Tensor,
    step: torch.Tensor,
    codebooks: int,
    top_k: int,
) -> Draw:
    """Everything random about one frame, made at once.

    Args:
        temperature: [rows] float32.
        top_p: [rows] float32.
        seed: [rows] int64.
        step: [rows] int64, the number of the frame within its answer.
        codebooks: codebooks of a frame.
        top_k: most likely codes that are drawn from.
    """
    return Draw(temperature, top_p, _gumbel(seed, step, codebooks, top_k))


@fused
def _gumbel(seed: torch.Tensor, step: torch.Tensor, codebooks: int, count: int) -> torch.Tensor:
    return -torch.log(-torch.log(uniform(seed, step, codebooks, count)))


def _mix(x: torch.Tensor) -> torch.Tensor:
    """murmur3's 32-bit finaliser on the low half of int64: products stay exact in the bits kept."""
    x = (x ^ (x >> 16)) * 0x85EBCA6B & _MASK
    x = (x ^ (x >> 13)) * 0xC2B2AE35 & _MASK
    return x ^ (x >> 16)


def uniform(seed: torch.Tensor, step: torch.Tensor, codebooks: int, count: int) -> torch.Tensor:
    """Numbers in (0, 1), float32 [codebooks, rows, count]: a hash of (seed, step, codebook, rank)."""
    device = seed.device
    row = _mix((seed & _MASK) ^ 0x9E3779B9)
    row = _mix(row ^ (seed >> 32 & _MASK))
    row = _mix(row ^ (step & _MASK))
    column = _mix(torch.arange(codebooks * count, device=device) + 0x632BE59B).view(codebooks, 1, count)
    bits = _mix(row[None, :, None] ^ column) >> 8
    return (bits.float() + 0.5) / (1 << 24)


def choose(logits: torch.Tensor, draw: Draw, codebook: int) -> torch.Tensor:
    """One code a row from [rows, vocab] logits: int64 [rows].

    Gumbel-max over the top-k logits divided by the temperature is a draw from their softmax. Of them, the
    likeliest are left that together reach `top_p`: each whose likelier ones do not reach it by themselves.
    """
    logits = logits.float()
    values, codes = logits.topk(min(draw.gumbel.shape[-1], logits.shape[-1]), dim=-1)
    return _pick(values, codes, logits.argmax(-1), draw.temperature, draw.top_p, draw.gumbel[codebook])


@fused
def _pick(
    values: torch.Tensor,
    codes: torch.Tensor,
    greedy: torch.Tensor,
    temperature: torch.Tensor,
    top_p: torch.Tensor,
    gumbel: torch.Tensor,
) -> torch.Tensor:
    """Of the likeliest logits and their codes, [rows, top_k] each, in order."""
    scaled = values / temperature.clamp_min(1e-6)[:, None]
    likelihood = scaled.softmax(-1)
    top_p = top_p[:, None]
    # Rounding may have it that something came before the likeliest, or that what comes before the last
    # reaches 1: neither leaves out a code.
    out = (likelihood.cumsum(-1) - likelihood >= top_p) & (top_p < 1)
    out[:, 0].fill_(False)
    scores = (scaled + gumbel[:, : values.shape[-1]]).masked_fill(out, float("-inf"))
    picked = codes.gather(-1, scores.argmax(-1, keepdim=True)).squeeze(-1)
    return torch.where(temperature > 0, picked, greedy)
