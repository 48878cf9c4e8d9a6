"""One real server on echo for all examples."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "server"))
from serving import command


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Its base URL for OpenAI clients."""
    with command("--model", "echo", environment={"CHROMA_REALTIME_ECHO_PACE": "4"}) as url:
        yield f"{url.replace('ws', 'http', 1)}/v1"
