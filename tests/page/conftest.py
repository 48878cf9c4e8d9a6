"""One Chromium for all tests of the page; where there is none, what is skipped and how to get it is said."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "server")]

from browser import HOW_TO_GET_IT, Browser, Page, chromium, find_chromium  # noqa: E402
from serving import app  # noqa: E402
from using import interrupting  # noqa: E402

from engine import EngineSettings  # noqa: E402
from engine.echo import EchoEngine  # noqa: E402


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[Browser]:
    """Its microphone hears a question, and another that interrupts the answer."""
    if not find_chromium():
        pytest.skip(HOW_TO_GET_IT)
    with chromium(interrupting(tmp_path_factory.mktemp("microphone"))) as started:
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


def pytest_collection_modifyitems(items):
    """A browser on a machine that is busy with other things takes its time."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(300))


def pytest_terminal_summary(terminalreporter):
    """Said once, at the end, where it is read."""
    skipped = [one for one in terminalreporter.stats.get("skipped", []) if HOW_TO_GET_IT in str(one.longrepr)]
    if skipped:
        terminalreporter.section("not tested here")
        terminalreporter.line(HOW_TO_GET_IT)
        for one in skipped:
            terminalreporter.line(f"skipped: {one.nodeid}")
