"""The audio tower on one block as a step that can be recorded, for any length up to a whole block.

transformers' forward asks the device for lengths, once in each layer, and waits. Here a shorter block is
padded with silence that nothing hears; weights, modules and maths are those of its
`modeling_qwen2_5_omni.py`.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import (
    Qwen2_5OmniAudioEncoder,
    Qwen2_5OmniAudioEncoderLayer,
)

from engine.chroma.attention import mask_of
from engine.chroma.graphs import Graphs
from engine.chroma.readback import send

_BLOCK = "a block of sound"


class BlockTower:
    """The recorded step, and what it reads and writes."""

    def __init__(self, tower: Qwen2_5OmniAudioEncoder, graphs: Graphs) -> None:
        self._tower, self._graphs = tower, graphs
        weight = tower.conv1.weight
        self.block = 2 * tower.n_window
        """Mel frames of a block."""
        self._mel = torch.zeros(1, tower.num_mel_bins, self.block, dtype=weight.dtype, device=weight.device)
        self._frames = torch.ones(1, dtype=torch.int64, device=weight.device)
        with torch.inference_mode():
            graphs.record(_BLOCK, self._step)

    @torch.inference_mode()
    def encode(self, mel: torch.Tensor) -> torch.Tensor:
        """Log-mel [bins, frames] on the host, at most a block of it, to what is heard: [block / 4, hidden],
        of which the first are real (see `embedding_count`)."""
        frames = mel.shape[1]
        padded = F.pad(mel, (0, self.block - frames))[None]
        send(padded.to(self._mel.dtype), self._mel)
        send(torch.tensor([frames]), self._frames)
        (rows,) = self._graphs.run(_BLOCK, self._step)
        # The next block is written over it.
        return rows.clone()

    def _step(self) -> tuple[torch.Tensor]:
        tower, device = self._tower, self._mel.device
        x = F.gelu(tower.conv1(self._mel)) * (torch.arange(self.block, device=device) < self._frames)
        x = F.gelu(tower.conv2(x)).transpose(1, 2)
        positions = x.shape[1]
        x = x + tower.positional_embedding.positional_embedding[:positions].to(x.dtype)
        # The convolution has a stride of 2.
        unheard = torch.arange(positions, device=device) > (self._frames - 1) // 2
        mask = mask_of(unheard, x.dtype)
        for layer in tower.layers:
            x = _layer(layer, x, mask[None, None, None])
        pairs = positions // 2
        x = (x[:, : 2 * pairs : 2] + x[:, 1 : 2 * pairs : 2]) / 2
        return (tower.proj(tower.ln_post(x))[0],)


def _layer(layer: Qwen2_5OmniAudioEncoderLayer, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """x [1, positions, width]; mask: what is added to the weights of [1, 1, 1, positions]."""
    attention, length = layer.self_attn, x.shape[1]
    heard = layer.self_attn_layer_norm(x)
    q, k, v = (
        proj(heard).view(1, length, attention.num_heads, -1).transpose(1, 2)
        for proj in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask.expand(1, 1, length, -1))
    x = x + attention.out_proj(out.transpose(1, 2).reshape(1, length, -1))
    x = x + layer.fc2(layer.activation_fn(layer.fc1(layer.final_layer_norm(x))))
    if x.dtype == torch.float16:
        most = torch.finfo(x.dtype).max - 1000
        x = x.clamp(-most, most)
    return x
