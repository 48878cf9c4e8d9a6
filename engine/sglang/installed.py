"""Whether SGLang can be used here, found out without importing it (that takes seconds)."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys

VERSION = "0.5.20"
"""The SGLang that `engine.sglang.rows` was written against, and that all tests run with."""


def why_not() -> str | None:
    """What keeps SGLang from being used here, as one line; None where nothing does."""
    if not sys.platform.startswith("linux"):
        return "SGLang runs on Linux alone"
    try:
        version = importlib.metadata.version("sglang")
    except importlib.metadata.PackageNotFoundError:
        return f"SGLang is not installed: {sys.executable} -m pip install 'chroma-realtime[sglang]'"
    if version != VERSION:
        return (
            f"SGLang {version} is installed, {VERSION} is needed:"
            f" {sys.executable} -m pip install 'sglang=={VERSION}'"
        )
    if importlib.util.find_spec("torchvision") is None:
        return f"SGLang needs torchvision: {sys.executable} -m pip install torchvision"
    return None
