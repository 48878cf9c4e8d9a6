"""How a GPU's memory is shared out between the Speaker and SGLang."""

from __future__ import annotations

from engine.api import EngineError
from engine.chroma.config import StackConfig

GIB = 2**30
_LEAST_LEFT = 3 * GIB
_SHARE_LEFT = 0.06
"""Of a GPU's memory: what is left for the work of both, activations and SGLang's CUDA graphs above all."""


def weights(stack: StackConfig, itemsize: int, *, tied: bool) -> int:
    """Bytes of the Reasoner's weights."""
    attention = stack.hidden * stack.head_dim * 2 * (stack.heads + stack.kv_heads)
    layer = attention + 3 * stack.hidden * stack.ffn
    tables = stack.vocab * stack.hidden * (1 if tied else 2)
    return (stack.layers * layer + tables) * itemsize


def token(stack: StackConfig, itemsize: int) -> int:
    """Bytes of keys and values of one token."""
    return 2 * stack.layers * stack.kv_heads * stack.head_dim * itemsize


def fraction(free: int, total: int, *, weights: int, token: int, context: int, tp: int) -> float:
    """Of the free memory, the part that SGLang may take for weights and cache (`mem_fraction_static`).

    Args:
        free: bytes that are free once the Speaker is loaded.
        total: bytes of the GPU.
        weights, token: bytes, of all GPUs that share them.
        context: tokens that the cache has to hold at least.

    Raises:
        EngineError: `gpu_memory`, where they do not fit.
    """
    left = max(_LEAST_LEFT, int(_SHARE_LEFT * total))
    needed = (weights + token * context) // tp
    if free - left < needed:
        raise EngineError(
            "gpu_memory",
            f"SGLang needs {(needed + left) / GIB:.1f} GiB of GPU memory beside the Speaker and"
            f" {free / GIB:.1f} are free: fewer --slots, a shorter --context or --reasoner transformers",
        )
    return (free - left) / free
