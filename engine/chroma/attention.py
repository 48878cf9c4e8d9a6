"""Attention over keys and values that are kept per slot: of the Llama stacks and of Mimi alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from engine.chroma.fused import fused, wanted
from engine.chroma.rope import rotate


@dataclass(frozen=True, slots=True)
class Place:
    """Where a batch stands, for all layers of a stack.

    Attributes:
        slots: int64 [rows]; None: row i is slot i.
        places: int64 [rows * length], slot * positions of a slot + position: where to write.
        cos, sin: [rows * length, head_dim].
        mask: [rows, 1, n, m], as `mask_of` makes it.
    """

    slots: torch.Tensor | None
    places: torch.Tensor
    cos: torch.Tensor
    sin: torch.Tensor
    mask: torch.Tensor


def mask_of(unseen: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """What is added to the weights of attention: attention itself would make it of booleans, but for each
    layer anew."""
    return torch.zeros(unseen.shape, dtype=dtype, device=unseen.device).masked_fill(unseen, float("-inf"))


@fused
def _write_keys(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    cos: torch.Tensor,
    sin: torch.Tensor,
    keys: torch.Tensor,
    values: torch.Tensor,
    places: torch.Tensor,
) -> torch.Tensor:
    cos, sin = cos[:, None], sin[:, None]
    keys[places] = rotate(k, cos, sin)
    values[places] = v
    return rotate(q, cos, sin)


def write_keys(
    qkv: Sequence[torch.Tensor],
    head_dim: int,
    keys: torch.Tensor,
    values: torch.Tensor,
    place: Place,
) -> torch.Tensor:
    """Rotate queries and keys, and write keys and values where they belong. Returns the queries
    [rows * length, heads, head_dim].

    Args:
        qkv: rows * length of [heads * head_dim] each, of k and v fewer heads.
        keys, values: [slots, positions, kv_heads, head_dim], written in place.
    """
    count = len(place.places)
    q, k, v = (each.view(count, -1, head_dim) for each in qkv)
    # Views, never copies: they are written to.
    keys, values = (each.view(-1, *each.shape[2:]) for each in (keys, values))
    return _write_keys(q, k, v, place.cos, place.sin, keys, values, place.places)


_FEW = 256
"""Keys that are few: of a frame in the Decoder, of the window in Mimi, of the shortest steps elsewhere."""


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Attention of q [rows, heads, n, head_dim] to k and v [rows, heads, m, head_dim]; `mask` [rows, 1, n, m]
    is added to its weights."""
    # The library's kernels are made for many queries and keys: of few they take several times as long as
    # reading the keys does.
    if k.shape[2] <= _FEW and q.shape[2] <= 8 and wanted(q):
        return _attend_to_few(q, k, v, mask)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


@fused
def _attend_to_few(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weights = (q.float()[:, :, :, None] * k.float()[:, :, None]).sum(-1) * q.shape[-1] ** -0.5
    weights = (weights + mask).softmax(-1)
    return (weights[..., None] * v.float()[:, :, None]).sum(-2).to(q.dtype)
