"""From settings to a Reasoner in SGLang that serves."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch

from engine.api import EngineError
from engine.chroma.checkpoint import Checkpoint
from engine.chroma.config import ChromaConfig
from engine.chroma.thinker import LONGEST_CONTEXT, text_table
from engine.sglang import memory
from engine.sglang.derived import derive
from engine.sglang.installed import why_not
from engine.sglang.keeper import HOST
from engine.sglang.messages import Launch
from engine.sglang.names import HEAD
from engine.sglang.options import arguments
from engine.sglang.reasoner import SglangReasoner

log = logging.getLogger(__name__)

_END = 8
"""Tokens at the end of a context that SGLang does not fill: an answer that does has to end where we say."""


def open_reasoner(
    config: ChromaConfig,
    checkpoint: Checkpoint,
    *,
    block: int,
    answers: int,
    context: int | None,
    dtype: torch.dtype,
    device: torch.device,
    tp: int,
    options: Sequence[tuple[str, str]],
    host: str = HOST,
) -> SglangReasoner:
    """Start SGLang and wait until it serves. All else that stays on the GPU has to be there already: SGLang
    takes most of what is left.

    Args:
        block: embeddings of the longest block that the audio tower hears.
        answers: at once.
        context: most tokens of a prompt and its answer; None: what the model holds, up to LONGEST_CONTEXT.
        tp: GPUs that share the model.
        options: of SGLang's, as text.

    Raises:
        EngineError: `sglang_missing`, `gpu_memory`, `invalid_setting`, or that SGLang does not start.
    """
    missing = why_not()
    if missing is not None:
        raise EngineError("sglang_missing", str(missing))
    stack = config.reasoner
    context = min(context or LONGEST_CONTEXT, stack.positions)
    folder = derive(config, checkpoint, dtype)
    weights = memory.weights(stack, dtype.itemsize, tied=HEAD not in checkpoint)
    token = memory.token(stack, dtype.itemsize)

    def launch() -> Launch:
        share = None
        if device.type == "cuda":
            free, total = torch.cuda.mem_get_info(device)
            share = memory.fraction(free, total, weights=weights, token=token, context=context, tp=tp)
            log.info(
                "GPU memory: %.1f of %.1f GiB are taken, SGLang may take %.1f of the rest (weights %.1f)",
                (total - free) / memory.GIB,
                total / memory.GIB,
                share * free / memory.GIB,
                weights / tp / memory.GIB,
            )
        ours = arguments(device=device, dtype=dtype, context=context, answers=answers, tp=tp, fraction=share)
        return Launch(folder, ours, tuple(options))

    reasoner = SglangReasoner(
        launch,
        text_table(config, checkpoint, dtype, torch.device("cpu")),
        audio_token=config.audio_token,
        block=block,
        device=device,
        context=context - _END,
        host=host,
    )
    log.info("SGLang serves the Reasoner; its cache holds %d tokens", reasoner.room)
    if reasoner.room < context:
        reasoner.close()
        raise EngineError(
            "gpu_memory",
            f"SGLang's cache holds {reasoner.room} tokens, and --context asks for {context}: ask for less, or"
            " give SGLang more (--sglang.mem-fraction-static)",
        )
    return reasoner
