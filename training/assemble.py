"""All stages into one checkpoint of the published layout."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save_file
from transformers import MimiConfig, MimiModel

from engine.settings import EngineSettings
from training.codec.decoder import SoundDecoder
from training.codec.encoder import SoundEncoder, widened
from training.codec.outline import load_outline
from training.reasoner.hearing import build_tower
from training.reasoner.sound import extractor
from training.reasoner.text import build_text_model, quiet
from training.run import Weights, load_stage
from training.shapes import codec_config, config
from training.speech.model import SpeechModel
from training.tokens import Encoder

CLEAREST = 0.4, 0.3
"""Temperatures of codebook 0 and of the others at which fewest words are lost (training/README.md)."""


def language_weights(folder: Path) -> Weights:
    """The language model that ships."""
    return quiet(load_stage(folder, "reasoner"))


def _codec(folder: Path) -> Weights:
    mimi = MimiModel(MimiConfig(**codec_config()))
    outline, decoder, encoder = load_outline(folder), SoundDecoder(), SoundEncoder()
    decoder.load_state_dict(load_stage(folder, "decoder"))
    encoder.load_state_dict(load_stage(folder, "encoder"))
    mimi.quantizer.load_state_dict(outline.quantizer.state_dict())
    for part in ("upsample", "decoder_transformer", "decoder"):
        getattr(mimi, part).load_state_dict(getattr(decoder, part).state_dict())
    for part in ("encoder", "encoder_transformer", "downsample"):
        wide = getattr(mimi, part)
        wide.load_state_dict(widened(getattr(encoder, part).state_dict(), wide.state_dict()))
    return mimi.state_dict()


def untrained() -> Weights:
    """All tensors of a checkpoint with new weights, to try the format with."""
    codec = MimiModel(MimiConfig(**codec_config())).state_dict()
    return _named(
        codec, build_text_model().state_dict(), build_tower().state_dict(), SpeechModel().state_dict()
    )


def trained(folder: Path) -> Weights:
    """All tensors of the checkpoint, from the newest of each stage."""
    speech = _sharpened(load_stage(folder, "voice", "speech"))
    return _named(_codec(folder), language_weights(folder), load_stage(folder, "tower"), speech)


def _sharpened(speech: Weights) -> Weights:
    """Heads scaled so that a draw at the engine's own temperature is as one at `CLEAREST`."""
    usual = EngineSettings("").temperature
    heads = {"backbone.codebook0_head.weight": CLEAREST[0], "decoder.codebook_head.weight": CLEAREST[1]}
    return speech | {name: speech[name] * (usual / clearest) for name, clearest in heads.items()}


def _named(codec: Weights, language: Weights, tower: Weights, speech: Weights) -> Weights:
    weights = {f"codec_model.{name}": tensor for name, tensor in codec.items()}
    weights |= {f"thinker.model.{name}": tensor for name, tensor in language.items()}
    weights |= {f"thinker.audio_tower.{name}": tensor for name, tensor in tower.items()}
    return weights | speech


def write_checkpoint(weights: Weights, encoder: Encoder, to: Path) -> None:
    """config.json, preprocessor_config.json and model.safetensors beside the tokenizer that is there.

    Weights are bfloat16, but for the codec's codebooks: rounded sums over rounded counts would move codes.
    """
    kept = {}
    for name, tensor in weights.items():
        exact = not tensor.is_floating_point() or ".codebook." in name
        kept[name] = (tensor if exact else tensor.bfloat16()).contiguous().clone()
    save_file(kept, to / "model.safetensors", metadata={"format": "pt"})
    # safetensors writes for its owner alone; a package's files are everybody's to read.
    (to / "model.safetensors").chmod(0o644)
    (to / "config.json").write_text(json.dumps(config(encoder), indent=2) + "\n")
    extractor().save_pretrained(to)
