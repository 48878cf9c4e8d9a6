"""What a checkpoint's config.json says, as plain data. Every special id and size comes from here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.api import EngineError


@dataclass(frozen=True, slots=True)
class RopeConfig:
    """Rotary embedding: `kind` is `default` or `llama3`; the last four belong to `llama3` alone."""

    theta: float
    kind: str = "default"
    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 1.0
    original_positions: int = 0


@dataclass(frozen=True, slots=True)
class StackConfig:
    """One Llama stack (the Backbone, the Decoder or the Reasoner's language model)."""

    layers: int
    hidden: int
    ffn: int
    heads: int
    kv_heads: int
    head_dim: int
    eps: float
    positions: int
    vocab: int
    rope: RopeConfig


@dataclass(frozen=True, slots=True)
class ChromaConfig:
    """A Chroma checkpoint. `thinker` and `codec` stay dictionaries: transformers builds from them."""

    reasoner: StackConfig
    backbone: StackConfig
    decoder: StackConfig
    thinker: dict[str, Any]
    codec: dict[str, Any]
    codebooks: int
    samples_per_frame: int
    im_end: int
    text_start: int
    text_end: int
    codebook_eos: int
    audio_token: int

    @property
    def codebook_size(self) -> int:
        """Codes that the codec knows; a sampled code beyond it is clamped before it is decoded."""
        return int(self.codec["codebook_size"])


def read_rope(config: dict[str, Any]) -> RopeConfig:
    """RoPE in either spelling: transformers 4 (`rope_scaling` beside `rope_theta`) or 5 (`rope_parameters`).

    Raises:
        EngineError: `checkpoint_unsupported` for a kind of RoPE this model family does not use.
    """
    spelled = config.get("rope_parameters") or {}
    scaling = spelled or config.get("rope_scaling") or {}
    theta = float(scaling.get("rope_theta") or config.get("rope_theta") or 10_000.0)
    kind = scaling.get("rope_type") or scaling.get("type") or "default"
    if kind == "default":
        return RopeConfig(theta=theta)
    if kind != "llama3":
        raise EngineError(
            "checkpoint_unsupported", f"config.json asks for RoPE of type {kind!r}; Chroma uses llama3"
        )
    return RopeConfig(
        theta=theta,
        kind=kind,
        factor=float(scaling["factor"]),
        low_freq_factor=float(scaling["low_freq_factor"]),
        high_freq_factor=float(scaling["high_freq_factor"]),
        original_positions=int(scaling["original_max_position_embeddings"]),
    )


def _stack(config: dict[str, Any]) -> StackConfig:
    heads = int(config["num_attention_heads"])
    hidden = int(config["hidden_size"])
    return StackConfig(
        layers=int(config["num_hidden_layers"]),
        hidden=hidden,
        ffn=int(config["intermediate_size"]),
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or hidden // heads),
        eps=float(config.get("rms_norm_eps", 1e-5)),
        positions=int(config["max_position_embeddings"]),
        vocab=int(config["vocab_size"]),
        rope=read_rope(config),
    )


def _reasoner(config: dict[str, Any]) -> StackConfig:
    """Raises EngineError `checkpoint_unsupported` for what the published model does not use."""
    if config.get("use_sliding_window"):
        raise EngineError("checkpoint_unsupported", "config.json asks for a Reasoner with a sliding window")
    return _stack({"rms_norm_eps": 1e-6, "max_position_embeddings": 32_768, "rope_theta": 1e6, **config})


def read_config(folder: Path) -> ChromaConfig:
    """Read `config.json` of a checkpoint folder.

    Raises:
        EngineError: `checkpoint_unreadable` when the file is missing or is no Chroma config, with the
            key that is missing.
    """
    path = folder / "config.json"
    try:
        raw = json.loads(path.read_text())
    except OSError as error:
        raise EngineError("checkpoint_unreadable", f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise EngineError("checkpoint_unreadable", f"{path} is not JSON: {error}") from None
    return parse_config(raw, path)


def parse_config(raw: Any, path: Path) -> ChromaConfig:
    """What a config.json says. `path` names it in errors, which are those of `read_config`."""
    if not isinstance(raw, dict) or raw.get("model_type") != "chroma":
        kind = raw.get("model_type") if isinstance(raw, dict) else None
        raise EngineError(
            "checkpoint_unsupported", f"{path} describes a model of type {kind!r}; this engine runs 'chroma'"
        )
    try:
        return ChromaConfig(
            reasoner=_reasoner(raw["thinker_config"]["text_config"]),
            backbone=_stack(raw["backbone_config"]),
            decoder=_stack(raw["decoder_config"]),
            thinker=raw["thinker_config"],
            codec=raw["codec_config"],
            codebooks=int(raw["audio_num_codebooks"]),
            samples_per_frame=int(raw["audio_frame_freq"]),
            im_end=int(raw["im_end_token_id"]),
            text_start=int(raw["text_start_token_id"]),
            text_end=int(raw["text_end_token_id"]),
            codebook_eos=int(raw["codebook_eos_token_id"]),
            audio_token=int(raw["thinker_config"]["audio_token_index"]),
        )
    except KeyError as error:
        raise EngineError("checkpoint_unreadable", f"{path} has no {error.args[0]!r}") from None
