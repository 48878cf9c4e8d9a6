"""The house rules that a machine can hold: who may import whom, and how long a file may grow."""

import ast
import shutil
import subprocess
from pathlib import Path

import pytest

import engine

ROOT = Path(__file__).parents[1]
LONGEST = 330
FILES = sorted(
    path for folder in ("engine", "realtime", "training") for path in (ROOT / folder).rglob("*.py")
)


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(source: str, module: str, is_package: bool) -> set[str]:
    """Full names of all that a module imports, wherever in it: `from a.b import c` gives a.b and a.b.c."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                kept = parts[: len(parts) - node.level + is_package]
                base = ".".join([*kept, *filter(None, [base])])
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return names


def within(name: str, *folders: str) -> bool:
    return any(name == folder or name.startswith(f"{folder}.") for folder in folders)


ARROWS = [
    ("engine", ["realtime", "starlette", "uvicorn", "websockets", "training"]),
    ("realtime", ["torch", "transformers", "training"]),
    ("training", ["realtime", "starlette", "uvicorn", "websockets"]),
    *(
        (f"training.{room}", ["training.evaluate"])
        for room in ("world", "corpus", "codec", "reasoner", "speech")
    ),
    ("training.world", ["training.corpus", "training.tokens", "training.reasoner", "torch", "engine"]),
    ("realtime.protocol", ["realtime.session", "realtime.server", "realtime.audio", "engine"]),
    ("realtime.session", ["realtime.server", "engine.chroma", "engine.runtime", "engine.process"]),
    ("realtime.audio", ["realtime.protocol", "realtime.session", "realtime.server", "engine.chroma"]),
    *(
        (room, ["asyncio", "starlette", "uvicorn", "websockets", "anyio"])
        for room in ("realtime.protocol", "realtime.session", "realtime.audio")
    ),
]
"""A folder, and what nothing in it may import."""


def offences(module: str, imported: set[str]) -> list[str]:
    return [
        f"{module} imports {name}"
        for folder, banned in ARROWS
        if within(module, folder)
        for name in sorted(imported)
        if within(name, *banned)
    ]


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_run_one_way(path):
    module = module_name(path)
    imported = imports(path.read_text(encoding="utf-8"), module, path.name == "__init__.py")
    assert offences(module, imported) == []
    if within(module, "realtime.session"):
        # All that a session may know of a model stands in `engine.api`.
        exported = {f"engine.{name}" for name in engine.__all__}
        modules = {name for name in imported if within(name, "engine") and not within(name, "engine.api")}
        assert modules - exported <= {"engine"}


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_one_idea_a_file(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("engine.chroma.model", "import realtime.session"),
        ("engine.echo", "def f():\n    from realtime import session"),
        ("realtime.server.app", "import torch.nn as nn"),
        ("realtime.protocol.events", "from .. import session"),
        ("realtime.session.turns", "from ..server.app import App"),
        ("realtime.session.turns", "import asyncio"),
        ("realtime.session.turns", "from engine.chroma.engine import ChromaEngine"),
        ("realtime.audio.vad", "from starlette.websockets import WebSocket"),
        ("engine.chroma.model", "from training.shapes import WIDTH"),
        ("training.world.words", "import torch"),
    ],
)
def test_an_import_against_the_arrows_is_seen(module, source):
    assert offences(module, imports(source, module, is_package=False))


def test_the_readme_shows_both_commands():
    lines = [line.strip() for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()]
    assert "make demo" in lines
    assert "make test" in lines


def test_no_link_is_part_of_the_tree():
    """A link leads somewhere on one machine alone."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no git here")
    listed = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [line for line in listed.stdout.splitlines() if line.startswith("120000")] == []
