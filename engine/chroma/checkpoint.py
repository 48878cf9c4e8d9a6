"""A checkpoint on disk or on the hub, read tensor by tensor.

`thinker.visual.*` lies in the published files and is never read: nothing here sees images.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from safetensors import SafetensorError, safe_open

from engine.api import EngineError
from engine.chroma.shapes import RANDOM
from engine.progress import Progress

_FILES = ("*.json", "*.jinja", "*.safetensors", "*.txt")
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"


def locate(model: str, revision: str | None = None) -> Path | str:
    """The folder that holds the checkpoint: `model` itself, or a hub snapshot (with the hub's own
    progress bars; downloaded once, then read from its cache). A model of random weights lies nowhere.

    Raises:
        EngineError: `model_not_found`, `model_gated`, `revision_not_found` or `hub_unreachable`, each
            with one line that says what to do.
    """
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if model.startswith(RANDOM):
        return model
    if path.is_absolute() or model.startswith((".", "~")) or model.count("/") != 1:
        raise EngineError(
            "model_not_found", f"{model}: no such folder, and not a hub id of the form OWNER/NAME either"
        )
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=list(_FILES)))
    except GatedRepoError:
        raise EngineError(
            "model_gated",
            f"{model} is gated: accept its terms on https://huggingface.co/{model}, then run 'hf auth login'",
        ) from None
    except RevisionNotFoundError:
        raise EngineError("revision_not_found", f"{model} has no revision {revision!r} on the hub") from None
    except (RepositoryNotFoundError, HFValidationError):
        raise EngineError(
            "model_not_found",
            f"{model}: no such folder here, and no such model on the hub (if private: 'hf auth login')",
        ) from None
    except (LocalEntryNotFoundError, OSError):
        raise EngineError(
            "hub_unreachable",
            f"{model} is neither a folder nor in the local hub cache, and the hub cannot be reached;"
            " give --model a folder that holds the checkpoint",
        ) from None


class Checkpoint:
    """The tensors of one checkpoint: a single file, or shards with an index.

    Raises:
        EngineError: `checkpoint_unreadable` when the files are missing, torn or do not fit their index.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._file_of = _index(folder)

    def __contains__(self, name: str) -> bool:
        return name in self._file_of

    def file_of(self, name: str) -> Path:
        """The file that holds this tensor."""
        return self._file_of[name]

    def names(self, prefix: str) -> list[str]:
        """All tensor names that start with `prefix`, in the checkpoint's order."""
        return [name for name in self._file_of if name.startswith(prefix)]

    def read(self, prefix: str, dtype: torch.dtype, device: torch.device) -> dict[str, torch.Tensor]:
        """The tensors under `prefix`, the prefix taken off their names."""
        return dict(self._read(prefix, dtype, device))

    def _read(
        self, prefix: str, dtype: torch.dtype, device: torch.device
    ) -> Iterator[tuple[str, torch.Tensor]]:
        by_file: dict[Path, list[str]] = {}
        for name in self.names(prefix):
            by_file.setdefault(self._file_of[name], []).append(name)
        progress = Progress(f"reading {prefix.rstrip('.')}", sum(map(len, by_file.values())))
        for path, names in by_file.items():
            try:
                with safe_open(path, framework="pt") as file:
                    for name in names:
                        tensor = file.get_tensor(name)
                        if tensor.is_floating_point():
                            tensor = tensor.to(dtype)
                        yield name[len(prefix) :], tensor.to(device)
                        progress.step()
            except (OSError, SafetensorError) as error:
                raise EngineError("checkpoint_unreadable", f"{path} cannot be read: {error}") from None


def _index(folder: Path) -> dict[str, Path]:
    index = folder / INDEX
    try:
        if index.is_file():
            weight_map = json.loads(index.read_text())["weight_map"]
            return {name: folder / file for name, file in weight_map.items()}
        with safe_open(folder / SINGLE, framework="pt") as file:
            return dict.fromkeys(file.keys(), folder / SINGLE)
    except FileNotFoundError:
        raise EngineError("checkpoint_unreadable", f"{folder} holds neither {SINGLE} nor {INDEX}") from None
    except (OSError, SafetensorError, ValueError, KeyError, AttributeError) as error:
        raise EngineError("checkpoint_unreadable", f"{folder}: weights cannot be read: {error}") from None
