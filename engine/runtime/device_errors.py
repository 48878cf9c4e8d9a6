"""What an exception of the device means: that this answer failed, or that none can succeed any more."""

from __future__ import annotations

import torch

from engine.api import ENGINE_BROKEN, EngineError


def told(part: str, error: Exception) -> EngineError:
    """An exception out of `part` ("the Speaker") as the error of the answers that it ends.

    `engine_out_of_memory`: what was kept for reuse has been given back, and the next answer may succeed.
    `engine_broken`: after an error of its own (a failed kernel, a lost device) a GPU refuses what follows.
    """
    if isinstance(error, EngineError):
        return error
    if isinstance(error, torch.OutOfMemoryError):
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        return EngineError("engine_out_of_memory", f"{part} ran out of the device's memory; try again")
    if isinstance(error, torch.AcceleratorError):
        return EngineError(ENGINE_BROKEN, f"{part} lost the device, and the engine starts again: {error}")
    return EngineError("engine_error", f"{part} failed: {error}")
