"""One server on echo for all tests that need nothing special of it."""

from collections.abc import Iterator

import pytest
from serving import app

from engine import EngineSettings
from engine.echo import EchoEngine


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    """Its base URL, ws://…"""
    with app(EchoEngine(EngineSettings(model="echo"))) as url:
        yield url


@pytest.fixture
def paced() -> Iterator[str]:
    """A server whose answers are made at the pace at which they play: there is time to interrupt one."""
    with app(EchoEngine(EngineSettings(model="echo"), pace=1.0)) as url:
        yield url
