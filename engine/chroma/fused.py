"""Small operations between the products, each set of them compiled into a kernel or two where that is wanted.

A step that is replayed costs the host nothing, but each of its kernels costs the GPU a microsecond or two,
however little it does. torch.compile makes one of many; the products stay the library's own.
Else, and on a CPU, the functions run as they are written.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache, wraps
from typing import Any, TypeVar, cast

import torch

from engine.api import EngineError

Function = TypeVar("Function", bound=Callable[..., Any])


class _Switch:
    on = False


_PREPARED: ContextVar[bool] = ContextVar("prepared", default=False)
"""The compiler's settings are in place. They are of a context each, as this is: of a thread, or a task."""


def fuse(on: bool) -> None:
    """Whether functions of what lies on a GPU are compiled from now on, in this whole process.

    Raises:
        EngineError: `invalid_setting`, where this machine cannot compile.
    """
    if on and importlib.util.find_spec("triton") is None:
        raise EngineError("invalid_setting", "fused kernels need Triton, which torch brings with CUDA")
    if on and not (os.environ.get("CC") or shutil.which("gcc") or shutil.which("clang")):
        raise EngineError("invalid_setting", "fused kernels need a C compiler: gcc, clang or what CC names")
    _Switch.on = on


def fused(function: Function) -> Function:
    """A function that can be compiled; its arguments may have any sizes, the first is a tensor."""

    @wraps(function)
    def run(*arguments: Any) -> Any:
        if not wanted(arguments[0]):
            return function(*arguments)
        # What a tensor is a view of would make a variant of its own.
        _prepare()
        plain = (each.data if isinstance(each, torch.Tensor) else each for each in arguments)
        return _compiled(function)(*plain)

    return cast(Function, run)


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(function, dynamic=True)


def _prepare() -> None:
    if _PREPARED.get():
        return
    # The compiler takes a second to be imported: only where it is wanted.
    import torch._dynamo.config
    import torch.fx.experimental._config

    # Batches of one and of more, of stacks of several shapes: more variants of a function than it expects.
    torch._dynamo.config.recompile_limit = 64
    # Sizes that are equal by chance when a function is compiled would else have to be equal for ever.
    torch.fx.experimental._config.use_duck_shape = False
    _PREPARED.set(True)


def wanted(tensor: torch.Tensor) -> bool:
    """Functions of this tensor are to be compiled."""
    return _Switch.on and tensor.is_cuda
