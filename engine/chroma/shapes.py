"""Sizes to try the engine's speed at without the weights, as config.json spells them.

`chroma-4b` is the published model (FlashLabs/Chroma-4B), but for the special tokens, which are those of the
byte tokenizer in `engine.chroma.random_weights`. `chroma-mid` is for a CPU: every part at a quarter of its
width and at half of its layers or fewer.
"""

from __future__ import annotations

from typing import Any

_LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 1024,
}


def _stack(
    kind: str, *, layers: int, width: int, ffn: int, heads: int, kv_heads: int, positions: int
) -> dict[str, Any]:
    return {
        "model_type": kind,
        "num_hidden_layers": layers,
        "hidden_size": width,
        "intermediate_size": ffn,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": positions,
        "vocab_size": 2051,
        "rms_norm_eps": 1e-5,
        "rope_parameters": _LLAMA3,
    }


def _tower(*, layers: int, width: int, heads: int, ffn: int, out: int) -> dict[str, Any]:
    return {
        "num_mel_bins": 128,
        "d_model": width,
        "encoder_layers": layers,
        "num_hidden_layers": layers,
        "encoder_attention_heads": heads,
        "encoder_ffn_dim": ffn,
        "max_source_positions": 1500,
        "n_window": 100,
        "output_dim": out,
    }


def _text(*, layers: int, width: int, ffn: int, heads: int, kv_heads: int, vocab: int) -> dict[str, Any]:
    return {
        "vocab_size": vocab,
        "hidden_size": width,
        "intermediate_size": ffn,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": 32_768,
        "rms_norm_eps": 1e-6,
        "rope_theta": 1e6,
        "rope_scaling": {"type": "default", "rope_type": "default", "mrope_section": [16, 24, 24]},
    }


RANDOM = "random:"
"""Before the name of a shape, where otherwise a checkpoint is named."""

SHAPES: dict[str, dict[str, Any]] = {
    "chroma-4b": {
        "backbone_config": _stack(
            "chroma_backbone", layers=16, width=2048, ffn=8192, heads=32, kv_heads=8, positions=2048
        ),
        "decoder_config": _stack(
            "chroma_decoder", layers=4, width=1024, ffn=8192, heads=8, kv_heads=2, positions=33
        ),
        "codec_config": {"num_quantizers": 8},
        "audio_config": _tower(layers=32, width=1280, heads=20, ffn=5120, out=2048),
        "text_config": _text(layers=36, width=2048, ffn=11_008, heads=16, kv_heads=2, vocab=151_936),
    },
    "chroma-mid": {
        "backbone_config": _stack(
            "chroma_backbone", layers=8, width=512, ffn=2048, heads=8, kv_heads=2, positions=2048
        ),
        "decoder_config": _stack(
            "chroma_decoder", layers=2, width=256, ffn=1024, heads=4, kv_heads=2, positions=33
        ),
        "codec_config": {
            "num_quantizers": 8,
            "hidden_size": 256,
            "upsample_groups": 256,
            "num_hidden_layers": 4,
            "num_filters": 16,
        },
        "audio_config": _tower(layers=4, width=320, heads=5, ffn=1280, out=512),
        "text_config": _text(layers=8, width=512, ffn=2048, heads=4, kv_heads=2, vocab=8192),
    },
}


def config(shape: str, ids: dict[str, int]) -> dict[str, Any]:
    """A whole config.json. `ids`: of the tokens `im_end`, `text_start`, `text_end` and `audio`."""
    sizes = SHAPES[shape]
    return {
        "model_type": "chroma",
        "audio_frame_freq": 1920,
        "audio_num_codebooks": 8,
        "codebook_eos_token_id": 0,
        "codebook_pad_token_id": 2050,
        "im_end_token_id": ids["im_end"],
        "text_start_token_id": ids["text_start"],
        "text_end_token_id": ids["text_end"],
        "backbone_config": sizes["backbone_config"],
        "decoder_config": sizes["decoder_config"],
        "codec_config": {
            "frame_rate": 12.5,
            "sampling_rate": 24_000,
            "codebook_size": 2048,
            **sizes["codec_config"],
        },
        "thinker_config": {
            "audio_config": sizes["audio_config"],
            "text_config": sizes["text_config"],
            "audio_token_index": ids["audio"],
        },
    }
