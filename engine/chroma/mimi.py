"""Mimi, encoding whole and decoding as a stream.

transformers' Mimi decodes only whole recordings. Its weights and modules are used here with the state
that each causal part needs between two frames, kept per slot:

- a convolution keeps its last (kernel - 1) x dilation inputs,
- a transposed convolution keeps the overlap of its last output, without bias,
- attention keeps the keys and values of its window in a ring.

All of it starts at zero, which is what the whole decode pads with: the stream equals the whole.
Mimi runs in float32 on every device, as its codes and sound are sensitive to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.nn import functional as F
from transformers import MimiConfig, MimiModel
from transformers.models.mimi.modeling_mimi import (
    MimiConv1d,
    MimiConvTranspose1d,
    MimiResnetBlock,
    MimiTransformerLayer,
)

from engine.chroma.attention import Place, attend, mask_of, write_keys
from engine.chroma.checkpoint import Checkpoint
from engine.chroma.config import ChromaConfig, read_rope
from engine.chroma.fused import fused
from engine.chroma.modules import load_pretrained
from engine.chroma.rope import inverse_frequencies

Step = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""One part of the decoder: (x [rows, channels, length], slots [rows]) to its output."""


def load_mimi(config: ChromaConfig, checkpoint: Checkpoint, device: torch.device) -> MimiModel:
    """transformers' Mimi with this checkpoint's weights, float32."""
    return load_pretrained(
        MimiModel, MimiConfig(**config.codec), checkpoint, "codec_model.", torch.float32, device
    )


def encode(mimi: MimiModel, sound: torch.Tensor, codebooks: int) -> torch.Tensor:
    """Codes of a whole recording: float32 [samples] at 24 kHz to int64 [frames, codebooks]."""
    with torch.inference_mode():
        device = next(mimi.parameters()).device
        codes = mimi.encode(sound.to(device)[None, None], num_quantizers=codebooks).audio_codes
    return codes[0].T.contiguous()


class MimiStream:
    """Mimi's decoder for many slots: one frame of codes in, 80 ms of sound out, for any set of slots."""

    def __init__(self, mimi: MimiModel, slots: int) -> None:
        self._mimi = mimi
        self._slots = slots
        self._device = next(mimi.parameters()).device
        self._states: list[torch.Tensor] = []
        self._position = torch.zeros(slots, dtype=torch.int64, device=self._device)
        self._highest_code = mimi.config.codebook_size - 1
        self._upsample = self._transposed(mimi.upsample)
        config = mimi.config
        self._window, self._ring = config.sliding_window, config.sliding_window + _SPARE
        self._inverse = inverse_frequencies(read_rope(config.to_dict()), config.head_dim).to(self._device)
        self._transformer = [
            _WindowAttention(self, layer, self._ring) for layer in mimi.decoder_transformer.layers
        ]
        self._decoder = list(self._stream(mimi.decoder.layers))

    def reset(self, slot: int) -> None:
        """Make a slot ready for a new answer, in place."""
        for state in self._states:
            state[slot] = 0
        self._position[slot] = 0

    @torch.inference_mode()
    def decode(self, codes: torch.Tensor, slots: torch.Tensor, *, in_place: bool = False) -> torch.Tensor:
        """Decode one frame for each of some slots and advance them.

        Args:
            codes: int64 [rows, codebooks]; a code beyond the codebook is taken as its last entry.
            slots: int64 [rows]; none twice whose results matter.
            in_place: row i is slot i, or its result does not matter. Keys and values are read where they
                lie; a row of another slot writes to slot i what its next frame writes anew before it is read.

        Returns:
            float32 [rows, samples_per_frame].
        """
        codes = codes.clamp_max(self._highest_code)
        x = self._upsample(self._mimi.quantizer.decode(codes[:, :, None]), slots)
        x = x.transpose(1, 2)
        start = self._position[: len(slots)] if in_place else self._position[slots]
        rows = None if in_place else slots
        place = Place(rows, *_places(start, rows, self._inverse, x.shape[1], self._ring, self._window))
        for layer in self._transformer:
            x = layer(x, place)
        self._position[slots] += x.shape[1]
        x = x.transpose(1, 2)
        for step in self._decoder:
            x = step(x, slots)
        return x[:, 0]

    def keep(self, *shape: int) -> torch.Tensor:
        """A zeroed state of `shape` for each slot, cleared by `reset`."""
        state = torch.zeros(self._slots, *shape, device=self._device)
        self._states.append(state)
        return state

    def _stream(self, layers: nn.ModuleList) -> Iterator[Step]:
        for layer in layers:
            if isinstance(layer, MimiConv1d):
                yield self._conv(layer)
            elif isinstance(layer, MimiConvTranspose1d):
                yield self._transposed(layer)
            elif isinstance(layer, MimiResnetBlock):
                yield self._residual(layer)
            else:
                yield _stateless(layer)

    def _conv(self, module: MimiConv1d) -> Step:
        conv = module.conv
        kept = (conv.kernel_size[0] - 1) * conv.dilation[0]
        if conv.stride[0] != 1 or not module.causal:
            raise ValueError("Mimi's decoder has causal convolutions of stride 1 only")
        if kept == 0:
            return _stateless(conv)
        past = self.keep(conv.in_channels, kept)

        def step(x: torch.Tensor, slots: torch.Tensor) -> torch.Tensor:
            return conv(_continued(x, past, slots))

        return step

    def _transposed(self, module: MimiConvTranspose1d) -> Step:
        conv = module.conv
        stride = conv.stride[0]
        overlap = conv.kernel_size[0] - stride
        if module.padding_left != 0 or not module.causal:
            raise ValueError("Mimi's decoder trims its transposed convolutions on the right only")
        tail = self.keep(conv.out_channels, overlap)
        bias = None if conv.bias is None else conv.bias[:, None]

        def step(x: torch.Tensor, slots: torch.Tensor) -> torch.Tensor:
            y = F.conv_transpose1d(x, conv.weight, None, stride, groups=conv.groups)
            return _overlapped(y, tail, slots, bias)

        return step

    def _residual(self, block: MimiResnetBlock) -> Step:
        inside = list(self._stream(block.block))
        beside = next(self._stream(nn.ModuleList([block.shortcut])))

        def step(x: torch.Tensor, slots: torch.Tensor) -> torch.Tensor:
            y = x
            for part in inside:
                y = part(y, slots)
            return beside(x, slots) + y

        return step


def _stateless(module: nn.Module) -> Step:
    return lambda x, slots: module(x)


@fused
def _continued(x: torch.Tensor, past: torch.Tensor, slots: torch.Tensor) -> torch.Tensor:
    """x [rows, channels, length] behind what each slot keeps of its past [slots, channels, kept]."""
    x = torch.cat((past[slots], x), dim=-1)
    past[slots] = x[..., -past.shape[-1] :]
    return x


@fused
def _overlapped(
    y: torch.Tensor, tail: torch.Tensor, slots: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    """y [rows, channels, length + overlap] on what each slot keeps of its last one, [slots, channels,
    overlap]: [rows, channels, length]."""
    overlap = tail.shape[-1]
    begin, rest = y.split((overlap, y.shape[-1] - overlap), dim=-1)
    y = torch.cat((begin + tail[slots], rest), dim=-1)
    tail[slots] = y[..., -overlap:]
    y = y[..., :-overlap]
    return y if bias is None else y + bias


_SPARE = 2
"""Places of the ring beyond the window, so that the positions of one frame can be written before the oldest
key that its first query sees is lost."""


@fused
def _places(
    start: torch.Tensor,
    slots: torch.Tensor | None,
    inverse: torch.Tensor,
    length: int,
    ring: int,
    window: int,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """`places`, `cos`, `sin` and `mask` [rows, 1, length, ring] of a `Place`, of so many positions from
    `start` [rows] on."""
    positions = start[:, None] + torch.arange(length, device=start.device)
    rows = torch.arange(len(start), device=start.device) if slots is None else slots
    angles = positions.flatten()[:, None].float() * inverse
    angles = torch.cat((angles, angles), dim=-1)
    last = positions[:, -1:]
    entry = torch.arange(ring, device=start.device)
    held = last - (last - entry) % ring  # the absolute position that an entry holds now
    age = positions[:, :, None] - held[:, None, :]
    unseen = (age < 0) | (age >= window) | (held[:, None, :] < 0)
    places = (rows[:, None] * ring + positions % ring).flatten()
    return places, angles.cos(), angles.sin(), mask_of(unseen, angles.dtype)[:, None]


class _WindowAttention:
    """One layer of Mimi's decoder transformer, its keys and values in a ring a little longer than the
    window."""

    def __init__(self, stream: MimiStream, layer: MimiTransformerLayer, ring: int) -> None:
        config = layer.self_attn.config
        self._layer = layer
        self._heads = config.num_attention_heads
        self._kv_heads = config.num_key_value_heads
        self._head_dim = layer.self_attn.head_dim
        self._keys = stream.keep(ring, self._kv_heads, self._head_dim)
        self._values = stream.keep(ring, self._kv_heads, self._head_dim)

    def __call__(self, x: torch.Tensor, place: Place) -> torch.Tensor:
        layer = self._layer
        x = x + layer.self_attn_layer_scale(self._attend(layer.input_layernorm(x), place))
        return x + layer.mlp_layer_scale(layer.mlp(layer.post_attention_layernorm(x)))

    def _attend(self, x: torch.Tensor, place: Place) -> torch.Tensor:
        attention = self._layer.self_attn
        rows, length, _ = x.shape
        qkv = [proj(x) for proj in (attention.q_proj, attention.k_proj, attention.v_proj)]
        q = write_keys(qkv, self._head_dim, self._keys, self._values, place)
        q = q.view(rows, length, self._heads, self._head_dim)
        k, v = (
            kept[:rows] if place.slots is None else kept[place.slots] for kept in (self._keys, self._values)
        )
        q, k, v = (each.transpose(1, 2) for each in (q, k, v))
        if self._heads != self._kv_heads:
            group = self._heads // self._kv_heads
            k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        out = attend(q, k, v, place.mask)
        return attention.o_proj(out.transpose(1, 2).reshape(rows, length, -1))
