"""The Llama stack of Reasoner, Backbone and Decoder, over keys and values that are kept per slot.

One forward serves every shape that occurs: the voice prompt (one row, many positions), a frame (rows of
1 to 3 positions, each at a place of its own) and the Decoder's steps. Maths as in transformers'
`modeling_llama.py`.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from engine.chroma.attention import Place, attend, mask_of, write_keys
from engine.chroma.config import StackConfig
from engine.chroma.fused import fused
from engine.chroma.linears import join
from engine.chroma.rope import inverse_frequencies, rotation_table
from engine.settings import Weights


class KvPool:
    """Keys and values of all slots: [layers, slots, positions, kv_heads, head_dim] each."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        self.keys, self.values = keys, values

    @classmethod
    def of(
        cls, config: StackConfig, slots: int, positions: int, dtype: torch.dtype, device: torch.device
    ) -> KvPool:
        """Room for so many slots, all zero."""
        shape = (config.layers, slots, positions, config.kv_heads, config.head_dim)
        keys, values = (torch.zeros(shape, dtype=dtype, device=device) for _ in range(2))
        return cls(keys, values)

    @property
    def positions(self) -> int:
        """Positions that one slot holds."""
        return self.keys.shape[2]

    def slot(self, index: int) -> KvPool:
        """One slot of it as a pool of its own, in the same memory."""
        return KvPool(self.keys[:, index : index + 1], self.values[:, index : index + 1])

    def copy(self, source: int, to: int, length: int) -> None:
        """Copy the first positions of a slot to another."""
        self.keys[:, to, :length] = self.keys[:, source, :length]
        self.values[:, to, :length] = self.values[:, source, :length]

    def copy_prefix(self, slot: int, prefix: KvPool) -> None:
        """Write the one row of `prefix` to the start of a slot."""
        length = prefix.positions
        self.keys[:, slot, :length] = prefix.keys[:, 0]
        self.values[:, slot, :length] = prefix.values[:, 0]


def _normed(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    wide = x.float()
    wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return weight * wide.to(x.dtype)


_norm = fused(_normed)


@fused
def _add_norm(
    x: torch.Tensor, more: torch.Tensor, weight: torch.Tensor, eps: float
) -> tuple[torch.Tensor, torch.Tensor]:
    x = x + more
    return x, _normed(x, weight, eps)


@fused
def _gated(gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    return F.silu(gate) * up


class RmsNorm(nn.Module):
    """Root-mean-square norm, computed in float32."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: torch.Tensor, more: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """The sum of both, [n, width] each, and its norm."""
        if more is None:
            return x, _norm(x, self.weight, self.eps)
        return _add_norm(x, more, self.weight, self.eps)


class _Attention(nn.Module):
    def __init__(self, config: StackConfig, bias: bool) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = config.heads, config.kv_heads, config.head_dim
        self.q_proj = nn.Linear(config.hidden, config.heads * config.head_dim, bias=bias)
        self.k_proj = nn.Linear(config.hidden, config.kv_heads * config.head_dim, bias=bias)
        self.v_proj = nn.Linear(config.hidden, config.kv_heads * config.head_dim, bias=bias)
        self.o_proj = nn.Linear(config.heads * config.head_dim, config.hidden, bias=False)

    def prepare(self, weights: Weights) -> None:
        self._qkv = join(weights, self.q_proj, self.k_proj, self.v_proj)
        self._o = join(weights, self.o_proj)

    def forward(
        self, x: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, place: Place
    ) -> torch.Tensor:
        rows = len(place.mask)
        length = len(x) // rows
        q = write_keys(self._qkv(x), self.head_dim, keys, values, place)
        k, v = (_seen(kept, place).transpose(1, 2) for kept in (keys, values))
        # The heads that share keys stand as more queries of one head: no key is read or copied twice.
        group = self.heads // self.kv_heads
        q = q.view(rows, length, self.kv_heads, group, self.head_dim).permute(0, 2, 3, 1, 4)
        q = q.reshape(rows, self.kv_heads, group * length, self.head_dim)
        out = attend(q, k, v, place.mask)
        out = out.view(rows, self.kv_heads, group, length, self.head_dim).permute(0, 3, 1, 2, 4)
        return self._o(out.reshape(len(x), -1))[0]


class _Mlp(nn.Module):
    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden, config.ffn, bias=False)
        self.up_proj = nn.Linear(config.hidden, config.ffn, bias=False)
        self.down_proj = nn.Linear(config.ffn, config.hidden, bias=False)

    def prepare(self, weights: Weights) -> None:
        self._gate_up = join(weights, self.gate_proj, self.up_proj)
        self._down = join(weights, self.down_proj)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._down(_gated(*self._gate_up(x)))[0]


class _Layer(nn.Module):
    def __init__(self, config: StackConfig, bias: bool) -> None:
        super().__init__()
        self.self_attn = _Attention(config, bias)
        self.mlp = _Mlp(config)
        self.input_layernorm = RmsNorm(config.hidden, config.eps)
        self.post_attention_layernorm = RmsNorm(config.hidden, config.eps)

    def forward(
        self,
        x: torch.Tensor,
        more: torch.Tensor | None,
        keys: torch.Tensor,
        values: torch.Tensor,
        place: Place,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Of x [rows * length, hidden], to which `more` is to be added; so are the two that are returned:
        each sum is made with the norm after it."""
        x, heard = self.input_layernorm(x, more)
        x, heard = self.post_attention_layernorm(x, self.self_attn(heard, keys, values, place))
        return x, self.mlp(heard)


def _seen(kept: torch.Tensor, place: Place) -> torch.Tensor:
    """What the rows may see of [slots, positions, …]: [rows, context, …]."""
    rows, _, _, context = place.mask.shape
    if place.slots is None:
        return kept[:rows, :context]
    return kept[:, :context].index_select(0, place.slots)


@fused
def _places(
    start: torch.Tensor,
    slots: torch.Tensor | None,
    cos: torch.Tensor,
    sin: torch.Tensor,
    length: int,
    positions: int,
    lag: int,
    context: int,
    group: int,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """`places`, `cos`, `sin` and `mask` [rows, 1, group * length, context] of a `Place`."""
    device = start.device
    each = (start[:, None] + torch.arange(length, device=device)).clamp_max(positions - 1)
    rows = torch.arange(len(start), device=device) if slots is None else slots
    rotary = (each - lag).clamp_min(0).flatten()
    unseen = torch.arange(context, device=device) > each[:, :, None]
    places = (rows[:, None] * positions + each).flatten()
    return places, cos[rotary], sin[rotary], mask_of(unseen, cos.dtype).repeat(1, group, 1)[:, None]


class LlamaStack(nn.Module):
    """Layers and final norm. Parameter names are those of the checkpoint's `*.model.`. `bias`: of q, k, v.

    `prepare` comes between the weights and the first step.
    """

    cos: torch.Tensor
    sin: torch.Tensor

    def __init__(self, config: StackConfig, *, bias: bool = False) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleList(_Layer(config, bias) for _ in range(config.layers))
        self.norm = RmsNorm(config.hidden, config.eps)

    def prepare(
        self, positions: int, dtype: torch.dtype, device: torch.device, weights: Weights = "full"
    ) -> None:
        """Make the rotary tables for `positions` positions, and join the weights, one layer after the other:
        where nobody else holds them, that takes the memory of one layer more."""
        for module in self.modules():
            if isinstance(module, _Attention | _Mlp):
                module.prepare(weights)
        cos, sin = rotation_table(inverse_frequencies(self.config.rope, self.config.head_dim), positions)
        self.cos, self.sin = cos.to(device, dtype), sin.to(device, dtype)

    def forward(
        self,
        x: torch.Tensor,
        pool: KvPool,
        slots: torch.Tensor | None,
        start: torch.Tensor,
        context: int,
        rotary_lag: int = 0,
    ) -> torch.Tensor:
        """Advance some slots.

        A row shorter than the batch is padded at its end: what the padding writes lies beyond the row's
        own positions, is seen by no real query and is overwritten by the row's next step. Beyond the last
        position of the pool it goes to that one, which is to be no real query's.

        Args:
            x: [rows, length, hidden] embeddings.
            pool: keys and values of all slots.
            slots: [rows] int64, one slot a row; none twice whose results matter. None: row i is slot i, and
                its keys and values are read where they lie, of which other slots cost a copy.
            start: [rows] int64, position of each row's first embedding.
            context: no row that matters reaches this position.
            rotary_lag: rotary positions stay this far behind the places in the pool, but not below 0.

        Returns:
            [rows, length, hidden] after the final norm.
        """
        group = self.config.heads // self.config.kv_heads
        length, positions = x.shape[1], pool.positions
        placed = _places(start, slots, self.cos, self.sin, length, positions, rotary_lag, context, group)
        place = Place(slots, *placed)
        # One row after another, whatever the batch is: each shape is compiled once.
        flat, more = x.flatten(0, 1), None
        for index, layer in enumerate(self.layers):
            flat, more = layer(flat, more, pool.keys[index], pool.values[index], place)
        return self.norm(flat, more)[1].view(x.shape)
