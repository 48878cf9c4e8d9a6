"""The floor under a frame: the bytes that it must read, and how fast this device reads.

However good its kernels are, a frame cannot take less time than reading its weights and keys once takes. What
is left out is small: rows of embeddings, the Decoder's own keys, the states of Mimi's convolutions. Sums and
products are left out too: at large batches they may be the higher floor.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from benchmarks.timing import device_ms
from engine.chroma.speaker import Speaker

_CPU_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


@dataclass(frozen=True, slots=True)
class FrameBytes:
    """Bytes that one frame of a batch must read: weights of each part, and the keys and values of Backbone
    and codec that are there."""

    backbone: int
    decoder: int
    codec: int
    keys: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.backbone + self.decoder + self.codec + self.keys


def frame_bytes(speaker: Speaker, *, rows: int, positions: int, frames: int, cache: int) -> FrameBytes:
    """What a frame of `rows` answers must read.

    Args:
        positions: of the Backbone that each row has heard.
        frames: that each row has made.
        cache: bytes of the device's last cache. What fits it is read once a frame, however often it is used.
    """
    backbone, decoder, mimi = speaker.frames.backbone, speaker.frames.decoder, speaker.mimi
    passes = speaker.config.codebooks - 1
    each_pass = _size(decoder.model) + _size(decoder.projection)
    stack, codec = speaker.config.backbone, mimi.config
    heard = 2 * stack.layers * stack.kv_heads * stack.head_dim * positions
    stride = mimi.upsample.conv.stride[0]
    made = min(stride * frames, codec.sliding_window)
    codec_heard = 2 * codec.num_hidden_layers * codec.num_key_value_heads * codec.head_dim * made
    return FrameBytes(
        backbone=_size(backbone),
        # Each pass has a head of its own.
        decoder=each_pass * (passes if each_pass > cache else 1) + _size(decoder.codebook_head),
        codec=sum(_size(part) for part in (mimi.upsample, mimi.decoder_transformer, mimi.decoder)),
        keys=rows * (heard * speaker.frames.dtype.itemsize + codec_heard * torch.float32.itemsize),
    )


def _size(module: nn.Module) -> int:
    return sum(each.numel() * each.element_size() for each in module.parameters())


def cache_bytes(device: torch.device) -> int:
    """Size of the device's last cache; 0 where it cannot be known."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).L2_cache_size)
    sizes = [path.read_text().strip() for path in _CPU_CACHES.glob("index*/size")]
    return max((int(size.removesuffix("K")) * 1024 for size in sizes if size.endswith("K")), default=0)


def read_bandwidth(device: torch.device, size: int | None = None) -> float:
    """Bytes a second that the device reads, measured: the faster of a sum and a product with a vector.

    Args:
        size: bytes that are read; without, far more than any cache holds.
    """
    size = size or (2 << 30 if device.type == "cuda" else 512 << 20)
    width = 4096
    values = torch.ones(size // 4 // width, width, device=device)
    vector = torch.ones(width, device=device)
    took = min(
        device_ms(values.sum, 5, device),
        device_ms(lambda: torch.mv(values, vector), 5, device),
    )
    return values.numel() * values.element_size() / took * 1000
