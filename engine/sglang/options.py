"""SGLang's settings: ours, and what the user passes through to it."""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Sequence
from typing import Any

import torch

from engine.api import EngineError

OURS = {
    "model_path": "--model",
    "device": "--device",
    "dtype": "--dtype",
    "tp_size": "--tp",
    "context_length": "--context",
    "base_gpu_id": "--gpus",
    "skip_tokenizer_init": None,
    "enable_return_hidden_states": None,
    "return_hidden_states_mode": None,
    "enable_multimodal": None,
    "stream_interval": None,
    "incremental_streaming_output": None,
    "speculative_algorithm": None,
    "pp_size": None,
    "dp_size": None,
}
"""What is not passed through: this depends on it. The option of ours that says it, where there is one."""

_CPU_ROOM = 65_536
"""Most tokens that the cache holds on a CPU, where it is the whole machine's memory that it takes."""


def arguments(
    *, device: torch.device, dtype: torch.dtype, context: int, answers: int, tp: int, fraction: float | None
) -> dict[str, Any]:
    """What SGLang is always started with.

    Args:
        context: most tokens of a prompt and its answer.
        answers: at once.
        fraction: of the GPU's free memory that weights and cache may take.
    """
    ours: dict[str, Any] = {
        "device": device.type,
        "dtype": str(dtype).removeprefix("torch."),
        "tp_size": tp,
        "context_length": context,
        "skip_tokenizer_init": True,
        "enable_return_hidden_states": True,
        "return_hidden_states_mode": "last",
        "stream_interval": 1,
        "incremental_streaming_output": True,
        "enable_multimodal": True,
        "log_level": "error",
        "max_running_requests": max(16, 2 * answers),
    }
    if device.type == "cpu":
        # No kernels of its own for a CPU come with its package: torch's do as well.
        return ours | {
            "attention_backend": "torch_native",
            "sampling_backend": "pytorch",
            "disable_overlap_schedule": True,
            "mem_fraction_static": 0.5,
            "max_total_tokens": max(context, min(_CPU_ROOM, context * 2 * answers)),
        }
    ours["base_gpu_id"] = device.index or 0
    return ours if fraction is None else ours | {"mem_fraction_static": round(fraction, 4)}


def parsed(options: Sequence[tuple[str, str]], parser: argparse.ArgumentParser) -> dict[str, Any]:
    """The user's options under the names and with the types that SGLang's own command line gives them.

    Args:
        options: names and values as text; a flag has the value `true` or `false`.
        parser: SGLang's own.

    Raises:
        EngineError: `invalid_setting`, for one that is unknown, wrong, or not to be passed through.
    """
    line = ["--model-path", ""]
    for name, value in dict(options).items():
        if value != "false":
            line += [f"--{name.replace('_', '-')}", *([] if value == "true" else value.split())]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            before, after = (vars(parser.parse_args(words)) for words in (line[:2], line))
    except SystemExit:
        problem = said.getvalue().strip().splitlines()[-1].partition("error: ")[2]
        raise EngineError("invalid_setting", f"SGLang refuses its options: {problem}") from None
    given = {name: value for name, value in after.items() if value != before[name]}
    for name in given.keys() & OURS.keys():
        instead = f": say {OURS[name]}" if OURS[name] else ": the engine depends on it as it is"
        raise EngineError("invalid_setting", f"{name} cannot be passed through to SGLang{instead}")
    return given
