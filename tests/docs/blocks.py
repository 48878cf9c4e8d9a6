"""The blocks of shell and Python in the documents, and how each is said to have been run.

A comment stands before each block:

    <!-- tested -->          a test runs it, against a real server on echo
    <!-- tested: serves -->  a test runs it until it says that it is ready
    <!-- by hand -->         a person ran it; the text beside it says so
    <!-- not run -->         it needs what was not there; the text beside it says so
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "examples" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
MARKS = ("tested", "tested: serves", "by hand", "not run")
_FENCE = re.compile(
    r"(?:^<!-- (?P<mark>[^>]*) -->\n+)?^```(?P<language>sh|bash|python)\n(?P<text>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True, slots=True)
class Block:
    """One block. `line` is the first of its text in the document."""

    document: Path
    line: int
    language: str
    mark: str | None
    text: str

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.document.relative_to(ROOT)}:{self.line}"


def blocks(document: Path) -> list[Block]:
    """All blocks of a document, in order."""
    text = document.read_text(encoding="utf-8")
    return [
        Block(
            document,
            text[: found.start("text")].count("\n") + 1,
            found["language"],
            found["mark"],
            found["text"],
        )
        for found in _FENCE.finditer(text)
    ]
