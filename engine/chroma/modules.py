"""Building a module from a checkpoint: transformers' own classes, and ours."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, TypeVar

import torch
from torch import nn
from transformers.utils import logging as transformers_logging

from engine.api import EngineError
from engine.chroma.checkpoint import Checkpoint

Module = TypeVar("Module", bound=nn.Module)


def load_pretrained(
    cls: type[Any], config: Any, checkpoint: Checkpoint, prefix: str, dtype: torch.dtype, device: torch.device
) -> Any:
    """A transformers module with the tensors under `prefix`, in eval mode.

    transformers' own loader fills buffers that are in no checkpoint (rotary tables, positions).

    Raises:
        EngineError: `checkpoint_unreadable` naming tensors that are missing or of another shape.
    """
    tensors = checkpoint.read(prefix, dtype, torch.device("cpu"))
    with _without_progress_bars():
        module, report = cls.from_pretrained(
            None,
            config=config,
            state_dict=tensors,
            dtype=dtype,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    wrong = sorted(report["missing_keys"]) + [str(key) for key in report["mismatched_keys"]]
    _refuse(checkpoint, prefix, wrong)
    return module.to(device).eval().requires_grad_(False)


@contextlib.contextmanager
def _without_progress_bars() -> Iterator[None]:
    """The tensors are in memory by now, so a bar would tell of nothing that takes long."""
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        # The hub's bars, which this switches too, tell of downloads.
        transformers_logging.enable_progress_bar()


def load_own(module: Module, tensors: dict[str, torch.Tensor], checkpoint: Checkpoint, prefix: str) -> Module:
    """Put `tensors` into a module of ours that was built on the meta device, in eval mode.

    Raises:
        EngineError: `checkpoint_unreadable` naming tensors that are missing or of another shape.
    """
    expected = {name: tensor.shape for name, tensor in module.state_dict().items()}
    wrong = [name for name, shape in expected.items() if name not in tensors or tensors[name].shape != shape]
    _refuse(checkpoint, prefix, wrong)
    module.load_state_dict({name: tensors[name] for name in expected}, assign=True)
    return module.eval().requires_grad_(False)


def _refuse(checkpoint: Checkpoint, prefix: str, wrong: list[str]) -> None:
    if wrong:
        few = ", ".join(prefix + name for name in wrong[:3])
        raise EngineError(
            "checkpoint_unreadable",
            f"{checkpoint.folder}: {len(wrong)} tensors are missing or do not fit config.json: {few}",
        )
