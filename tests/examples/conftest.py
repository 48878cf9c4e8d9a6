"""One real server on echo for all examples."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import EXAMPLES, NODE, QUESTION

sys.path.insert(0, str(Path(__file__).parents[1] / "server"))
from serving import command


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Its base URL for OpenAI clients."""
    with command("--model", "echo", environment={"CHROMA_REALTIME_ECHO_PACE": "4"}) as url:
        yield f"{url.replace('ws', 'http', 1)}/v1"


@pytest.fixture
def node_examples(tmp_path: Path) -> Path:
    """A copy of examples/ whose Node programs find the packages of the conformance tests."""
    if not (NODE / "node_modules").exists() or not shutil.which("node"):
        pytest.skip("examples for Node left out: install Node, then 'make install' installs their packages")
    for name in ("node", "page"):
        folder = tmp_path / "examples" / name
        shutil.copytree(EXAMPLES / name, folder, ignore=lambda *_: ["node_modules"])
        (folder / "node_modules").symlink_to(NODE / "node_modules")
    shutil.copy(QUESTION, tmp_path / "examples")
    return tmp_path / "examples"
