"""A model of any size without its weights: for speed, which does not depend on them.

What it says and how it sounds is noise. Its tokenizer knows bytes and the special tokens, so that the whole
server can be driven with it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import nn
from transformers import MimiConfig, MimiModel, PreTrainedTokenizerFast
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniThinkerConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder

from engine.chroma import frames, thinker
from engine.chroma.checkpoint import Checkpoint
from engine.chroma.config import ChromaConfig
from engine.chroma.shapes import config

_SPECIALS = {
    "im_end": "<|im_end|>",
    "text_start": "<|text_start|>",
    "text_end": "<|text_end|>",
    "audio": "<|AUDIO|>",
}
_OTHERS = ("<|im_start|>", "<|audio_bos|>", "<|audio_eos|>")
_TEMPLATE = """\
{%- for message in messages %}<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}\
{% if part['type'] == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>{% elif part['type'] == 'text' %}\
{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif -%}"""
_STD = 0.02
_BLOCK = 1_048_573
"""So many random numbers are drawn and then repeated: drawing billions would take longer than all else. It is
a prime, so that no two rows of a matrix are alike."""


def byte_tokenizer() -> Any:
    """A tokenizer of the 256 bytes and the special tokens, with a chat template like Qwen's."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={sign: index for index, sign in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in (*_SPECIALS.values(), *_OTHERS)]
    )
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=_SPECIALS["im_end"])
    wrapped.chat_template = _TEMPLATE
    return wrapped


def random_config(shape: str, tokenizer: Any) -> dict[str, Any]:
    """config.json of a shape, with the tokenizer's own special tokens."""
    return config(shape, {name: tokenizer.convert_tokens_to_ids(token) for name, token in _SPECIALS.items()})


class RandomCheckpoint(Checkpoint):
    """A checkpoint in no file: its tensors are made when they are read, the same ones each time."""

    def __init__(self, shape: str, config: ChromaConfig) -> None:
        self.folder = Path(f"random {shape}")
        audio = Qwen2_5OmniThinkerConfig(**config.thinker).audio_config
        with torch.device("meta"):
            tower = Qwen2_5OmniAudioEncoder._from_config(audio)
            mimi = MimiModel(MimiConfig(**config.codec))
            parts: dict[str, nn.Module] = {
                "thinker.audio_tower.": tower,
                "codec_model.": mimi,
                **dict(zip(thinker.PARTS, thinker.empty_model(config), strict=True)),
                **dict(zip(frames.PARTS, frames.empty_parts(config), strict=True)),
            }
        self._shapes = {
            prefix + name: tensor
            for prefix, part in parts.items()
            for name, tensor in part.state_dict().items()
        }
        self._shapes[thinker.HEAD] = torch.empty(config.reasoner.vocab, config.reasoner.hidden, device="meta")

    def __contains__(self, name: str) -> bool:
        return name in self._shapes

    def names(self, prefix: str) -> list[str]:
        return [name for name in self._shapes if name.startswith(prefix)]

    def read(self, prefix: str, dtype: torch.dtype, device: torch.device) -> dict[str, torch.Tensor]:
        # Drawn on the CPU, so that they are the same ones on every device.
        block = torch.randn(_BLOCK, generator=torch.Generator().manual_seed(1)).mul_(_STD).to(device)
        return {
            name[len(prefix) :]: _filled(name, self._shapes[name], block, dtype)
            for name in self.names(prefix)
        }


def _filled(name: str, like: torch.Tensor, block: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    kind = dtype if like.is_floating_point() else like.dtype
    if not like.is_floating_point():
        return torch.zeros(like.shape, dtype=kind, device=block.device)
    # Norms and the counts of a codebook are around 1, as in any trained model.
    if like.ndim < 2 and not name.endswith(".bias"):
        return torch.ones(like.shape, dtype=kind, device=block.device)
    count = like.numel()
    repeated = block.to(kind).repeat(math.ceil(count / len(block)))[:count]
    return repeated.view(like.shape).contiguous()
