"""The Reasoner's hidden state of each token, out of SGLang's scheduler as bytes: one row a token, each once.

SGLang's own way makes Python lists of floats, a whole answer's anew with each token or the last one's alone.
What leaves here is SGLang's `customized_info`, which goes with the tokens it belongs to however they are
batched, held back or taken back. This is the one module that leans on SGLang's insides: written against
`engine.sglang.installed.VERSION`, and `install` refuses where they have changed.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from sglang.srt.managers.scheduler_components.batch_result_processor import (
    SchedulerBatchResultProcessor as Processor,
)

from engine.sglang.names import ROWS

_PREFILL = ["self", "req", "logits_output", "hidden_state_offset", "capture_hidden_mode", "extend_input_len",
            "store"]  # fmt: skip
_DECODE = ["req", "hidden_states", "start", "accept_len"]


def install() -> None:
    """Put our two functions in the place of SGLang's. Called in every process of the scheduler.

    Raises:
        RuntimeError: SGLang's own are not those that these replace.
    """
    changed = [
        f"{function.__name__}{inspect.signature(function)}"
        for function, expected in (
            (Processor._append_prefill_hidden_states, _PREFILL),
            (Processor._append_decode_hidden_states, _DECODE),
        )
        if list(inspect.signature(function).parameters) != expected
    ]
    if changed:
        raise RuntimeError(f"SGLang hands out hidden states in another way than expected: {changed}")
    Processor._append_prefill_hidden_states = _append_prefill
    Processor._append_decode_hidden_states = staticmethod(_append_decode)


def _append_prefill(
    self: Any,
    *,
    req: Any,
    logits_output: Any,
    hidden_state_offset: int,
    capture_hidden_mode: Any,
    extend_input_len: int,
    store: bool = True,
) -> int:
    """Keep the row [hidden] after a prompt's last token. Returns where the next request's rows begin."""
    if not capture_hidden_mode.is_last():
        raise RuntimeError(f"hidden states are captured in mode {capture_hidden_mode}, not LAST")
    if store and req.return_hidden_states:
        # Without overlapped scheduling they are on the device yet: once for the batch, not once a row.
        logits_output.hidden_states = logits_output.hidden_states.cpu()
        _keep(req, logits_output.hidden_states[hidden_state_offset])
    return hidden_state_offset + 1


def _append_decode(*, req: Any, hidden_states: torch.Tensor, start: int, accept_len: int) -> None:
    """Keep the row of one more token."""
    if accept_len:
        _keep(req, hidden_states[start])


def _keep(req: Any, row: torch.Tensor) -> None:
    if req.customized_info is None:
        req.customized_info = {ROWS: []}
    req.customized_info[ROWS].append(row.cpu().contiguous().view(torch.uint8).numpy().tobytes())
