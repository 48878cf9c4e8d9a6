"""The sizes of chroma-nano, as the config.json of its checkpoint."""

from __future__ import annotations

from typing import Any

from training.tokens import VOCABULARY, Encoder

WIDTH = 256
CODEBOOKS = 8
CODES = 512
LATENT = 192
"""Width of the codec's latent, one vector a frame."""
SAMPLES_PER_FRAME = 1920
_AUDIO_VOCABULARY = CODES + 3


def _rope(theta: float = 10_000.0) -> dict[str, Any]:
    return {"rope_type": "default", "rope_theta": theta}


def codec_config(*, filters: int = 32) -> dict[str, Any]:
    """A narrow Mimi; fewer, larger strides than the published one train faster on a CPU."""
    return {
        "model_type": "mimi",
        "sampling_rate": 24_000,
        "audio_channels": 1,
        "_frame_rate": 12.5,
        "hidden_size": LATENT,
        "num_filters": filters,
        "num_residual_layers": 2,
        "upsampling_ratios": [6, 10, 16],
        "kernel_size": 7,
        "last_kernel_size": 3,
        "residual_kernel_size": 3,
        "dilation_growth_rate": 2,
        "use_causal_conv": True,
        "pad_mode": "constant",
        "compress": 1,
        "trim_right_ratio": 1.0,
        "codebook_size": CODES,
        "codebook_dim": 32,
        "num_quantizers": CODEBOOKS,
        "num_semantic_quantizers": 1,
        "use_conv_shortcut": False,
        "vector_quantization_hidden_dimension": 32,
        "upsample_groups": LATENT,
        "num_hidden_layers": 2,
        "intermediate_size": 768,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "head_dim": LATENT // 4,
        "hidden_act": "gelu",
        "max_position_embeddings": 8000,
        "norm_eps": 1e-5,
        "sliding_window": 24,
        "attention_bias": False,
        "layer_scale_initial_scale": 0.1,
        "rope_parameters": _rope(),
        "use_cache": False,
        "use_streaming": False,
    }


def _stack(kind: str, layers: int, width: int, ffn: int, heads: int, positions: int) -> dict[str, Any]:
    return {
        "model_type": kind,
        "num_hidden_layers": layers,
        "hidden_size": width,
        "intermediate_size": ffn,
        "num_attention_heads": heads,
        "num_key_value_heads": heads // 2,
        "head_dim": width // heads,
        "max_position_embeddings": positions,
        "vocab_size": _AUDIO_VOCABULARY,
        "audio_num_codebooks": CODEBOOKS,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "rope_parameters": _rope(),
        "use_cache": True,
    }


def backbone_config() -> dict[str, Any]:
    """Writes codebook 0 of a frame."""
    return _stack("chroma_backbone", layers=4, width=WIDTH, ffn=768, heads=4, positions=2048)


def decoder_config() -> dict[str, Any]:
    """Writes codebooks 1 to 7 of a frame."""
    stack = _stack("chroma_decoder", layers=2, width=128, ffn=384, heads=4, positions=33)
    return {**stack, "audio_embedding_dim": WIDTH}


def tower_config() -> dict[str, Any]:
    """The Reasoner's ears. It attends within 8 s, so that a short question is heard as one."""
    return {
        "model_type": "qwen2_5_omni_audio_encoder",
        "num_mel_bins": 128,
        "d_model": 192,
        "encoder_layers": 4,
        "num_hidden_layers": 4,
        "encoder_attention_heads": 4,
        "encoder_ffn_dim": 512,
        "activation_function": "gelu",
        "max_source_positions": 1500,
        "n_window": 400,
        "output_dim": WIDTH,
        "scale_embedding": False,
        "dropout": 0.0,
        "attention_dropout": 0.0,
        "activation_dropout": 0.0,
    }


def text_config() -> dict[str, Any]:
    """The Reasoner's language model."""
    return {
        "model_type": "qwen2_5_omni_text",
        "vocab_size": VOCABULARY,
        "hidden_size": WIDTH,
        "intermediate_size": 512,
        "num_hidden_layers": 4,
        "layer_types": ["full_attention"] * 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "attention_dropout": 0.0,
        "tie_word_embeddings": True,
        "use_cache": True,
        "use_sliding_window": False,
        "rope_parameters": {**_rope(), "type": "default", "mrope_section": [8, 12, 12]},
    }


def config(encoder: Encoder) -> dict[str, Any]:
    """The whole config.json, with the tokenizer's ids."""
    return {
        "architectures": ["ChromaForConditionalGeneration"],
        "model_type": "chroma",
        "dtype": "bfloat16",
        "audio_frame_freq": SAMPLES_PER_FRAME,
        "audio_num_codebooks": CODEBOOKS,
        "codebook_eos_token_id": 0,
        "codebook_pad_token_id": CODES + 2,
        "im_end_token_id": encoder.im_end,
        "text_start_token_id": encoder.id("<|text_start|>"),
        "text_end_token_id": encoder.id("<|text_end|>"),
        "backbone_config": backbone_config(),
        "decoder_config": decoder_config(),
        "codec_config": codec_config(),
        "thinker_config": {
            "model_type": "qwen2_5_omni_thinker",
            "audio_config": tower_config(),
            "text_config": text_config(),
            "audio_token_index": encoder.audio,
            "audio_start_token_id": encoder.id("<|audio_bos|>"),
            "audio_end_token_id": encoder.id("<|audio_eos|>"),
            "image_token_index": encoder.id("<|IMAGE|>"),
            "video_token_index": encoder.id("<|VIDEO|>"),
            "position_id_per_seconds": 25,
            "seconds_per_chunk": 2,
        },
    }
