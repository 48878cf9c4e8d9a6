"""A server on echo, and one whose answers take their time."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import EngineSettings
from engine.echo import EchoEngine

sys.path.append(str(Path(__file__).parents[1] / "server"))
from serving import app


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    """Its base URL, ws://…"""
    with app(EchoEngine(EngineSettings(model="echo"))) as url:
        yield url


@pytest.fixture
def paced() -> Iterator[str]:
    """Answers are made at the pace at which they play."""
    with app(EchoEngine(EngineSettings(model="echo"), pace=1.0)) as url:
        yield url
