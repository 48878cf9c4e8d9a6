"""One Chromium for all tests of the page; where there is none, what is skipped and how to get it is said."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "server")]

from browser import HOW_TO_GET_IT, Browser, Page, chromium, find_chromium  # noqa: E402
from serving import SPEECH, app  # noqa: E402

from engine import EngineSettings  # noqa: E402
from engine.echo import EchoEngine  # noqa: E402


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Its microphone hears a question, and 0.9 s after its end another, which interrupts the answer."""
    if not find_chromium():
        pytest.skip(HOW_TO_GET_IT)
    with chromium(SPEECH / "two_turns.wav") as started:
        yield started


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Iterator[str]:
    """The address of a server whose answers are made at the pace at which they play."""
    voices = tmp_path_factory.mktemp("voices")
    engine = EchoEngine(EngineSettings(model="echo", voices_dir=voices), pace=1.0)
    with app(engine, voices_dir=voices) as url:
        yield url.replace("ws", "http", 1)


@pytest.fixture
def page(browser, site) -> Iterator[Page]:
    """The page, freshly opened. It may leave no error in the browser's console."""
    with browser.page(site) as opened:
        opened.until("document.querySelector('#served').textContent === 'echo'")
        opened.until("document.querySelector('.voices input')")
        yield opened
        assert opened.complaints == []


def pytest_terminal_summary(terminalreporter):
    """Said once, at the end, where it is read."""
    skipped = [one for one in terminalreporter.stats.get("skipped", []) if HOW_TO_GET_IT in str(one.longrepr)]
    if skipped:
        terminalreporter.section("not tested here")
        terminalreporter.line(HOW_TO_GET_IT)
        for one in skipped:
            terminalreporter.line(f"skipped: {one.nodeid}")
