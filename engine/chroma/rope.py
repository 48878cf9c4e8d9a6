"""Rotary position embedding as Llama 3 scales it (transformers, `modeling_rope_utils.py`)."""

from __future__ import annotations

import math

import torch

from engine.chroma.config import RopeConfig


def inverse_frequencies(rope: RopeConfig, head_dim: int) -> torch.Tensor:
    """Inverse frequencies, float32 [head_dim / 2]."""
    inverse = 1.0 / (rope.theta ** (torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim))
    if rope.kind == "default":
        return inverse
    low_wavelength = rope.original_positions / rope.low_freq_factor
    high_wavelength = rope.original_positions / rope.high_freq_factor
    wavelength = 2 * math.pi / inverse
    scaled = torch.where(wavelength > low_wavelength, inverse / rope.factor, inverse)
    smooth = (rope.original_positions / wavelength - rope.low_freq_factor) / (
        rope.high_freq_factor - rope.low_freq_factor
    )
    smoothed = (1 - smooth) * scaled / rope.factor + smooth * scaled
    between = (wavelength >= high_wavelength) & (wavelength <= low_wavelength)
    return torch.where(between, smoothed, scaled)


def rotation_table(inverse: torch.Tensor, positions: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines of every position, float32 [positions, 2 * len(inverse)] each."""
    angles = torch.arange(positions, dtype=torch.float32)[:, None] * inverse[None, :]
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotate the last dimension of `x` by half-split pairs; `cos` and `sin` broadcast against it."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin
