"""Whether SGLang can be used here, found out without importing it (that takes seconds)."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from dataclasses import dataclass

VERSION = "0.5.20"
"""The SGLang that `engine.sglang.rows` was written against, and that all tests run with."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What keeps SGLang from being used here, and the command that mends it; none where none does."""

    what: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.mend}" if self.mend else self.what


def why_not() -> Missing | None:
    """None where SGLang can be used."""
    install = f"{sys.executable} -m pip install"
    if not sys.platform.startswith("linux"):
        return Missing("SGLang runs on Linux alone")
    try:
        version = importlib.metadata.version("sglang")
    except importlib.metadata.PackageNotFoundError:
        return Missing("SGLang is not installed", f"{install} 'chroma-realtime[sglang]'")
    if version != VERSION:
        return Missing(
            f"SGLang {version} is installed, {VERSION} is needed", f"{install} 'sglang=={VERSION}'"
        )
    if importlib.util.find_spec("torchvision") is None:
        return Missing("SGLang needs torchvision", f"{install} torchvision")
    return None
