"""The Reasoner's part of a checkpoint as a folder that SGLang can open: its own config.json beside links to
the weights. It lies in a cache; nothing is ever written to the checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from engine.api import EngineError
from engine.chroma.checkpoint import INDEX, SINGLE, Checkpoint
from engine.chroma.config import ChromaConfig
from engine.chroma.random_weights import RandomCheckpoint
from engine.sglang.names import ARCHITECTURE, AUDIO_TOKEN, HEAD, LAYERS


def cache_folder() -> Path:
    """Where derived folders lie."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "chroma-realtime" / "sglang"


def derive(config: ChromaConfig, checkpoint: Checkpoint, dtype: torch.dtype) -> Path:
    """The derived folder of a checkpoint, made on first use. Random weights are written in `dtype`.

    Raises:
        EngineError: `cache_unwritable`.
    """
    described = json.dumps(_config(config, tied=HEAD not in checkpoint), indent=1)
    if isinstance(checkpoint, RandomCheckpoint):
        mark = f"{checkpoint.folder} {dtype}"
        return _made(described + mark, described, lambda folder: _write(checkpoint, dtype, folder))
    names = [*checkpoint.names(LAYERS), *checkpoint.names(HEAD)]
    files = {name: checkpoint.file_of(name).resolve() for name in names}
    mark = "".join(f"{path} {path.stat().st_mtime_ns}\n" for path in sorted(set(files.values())))
    return _made(described + mark, described, lambda folder: _link(files, folder))


def _config(config: ChromaConfig, *, tied: bool) -> dict[str, Any]:
    """A Qwen2 config. mRoPE's three sections agree for text and sound: what is left is plain RoPE."""
    stack = config.reasoner
    return {
        "architectures": [ARCHITECTURE],
        "model_type": "qwen2",
        "hidden_act": "silu",
        "hidden_size": stack.hidden,
        "intermediate_size": stack.ffn,
        "num_hidden_layers": stack.layers,
        "num_attention_heads": stack.heads,
        "num_key_value_heads": stack.kv_heads,
        "head_dim": stack.head_dim,
        "max_position_embeddings": stack.positions,
        "rms_norm_eps": stack.eps,
        "rope_parameters": {"rope_type": "default", "rope_theta": stack.rope.theta},
        "tie_word_embeddings": tied,
        "vocab_size": stack.vocab,
        AUDIO_TOKEN: config.audio_token,
    }


def _made(mark: str, described: str, fill: Callable[[Path], None]) -> Path:
    """The folder of this mark. It appears whole or not at all, whoever else is making it."""
    root = cache_folder()
    folder = root / hashlib.sha256(mark.encode()).hexdigest()[:16]
    if folder.is_dir():
        return folder
    try:
        root.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=root, prefix="draft-"))
        try:
            fill(draft)
            (draft / "config.json").write_text(described, encoding="utf-8")
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as error:
        if folder.is_dir():
            return folder
        raise EngineError(
            "cache_unwritable",
            f"{root} cannot be written ({error.strerror or error}); set XDG_CACHE_HOME to a folder that can",
        ) from None
    return folder


def _link(files: dict[str, Path], folder: Path) -> None:
    """Link the files that hold the Reasoner's tensors; of shards only those."""
    paths = sorted(set(files.values()))
    if len(paths) == 1:
        (folder / SINGLE).symlink_to(paths[0])
        return
    named = {path: f"model-{number:05d}.safetensors" for number, path in enumerate(paths, start=1)}
    for path, name in named.items():
        (folder / name).symlink_to(path)
    index = {"metadata": {}, "weight_map": {name: named[path] for name, path in files.items()}}
    (folder / INDEX).write_text(json.dumps(index), encoding="utf-8")


def _write(checkpoint: RandomCheckpoint, dtype: torch.dtype, folder: Path) -> None:
    tensors = {
        prefix + name: tensor
        for prefix in (LAYERS, HEAD)
        for name, tensor in checkpoint.read(prefix, dtype, torch.device("cpu")).items()
    }
    save_file(tensors, folder / SINGLE)
