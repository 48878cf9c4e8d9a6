"""Pictures of the page in each of its states: `python tests/page/pictures.py FOLDER [--url URL]`.

`--readme` takes the one picture of the README in place of them, `docs/page.png`. Without `--url` it talks to
a server of its own, which says again what it hears.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "page"), str(ROOT / "tests" / "server")]

from browser import Browser, Page, chromium  # noqa: E402
from serving import SPEECH, app  # noqa: E402
from using import interrupting, set_field, shows, type_a_turn  # noqa: E402

from engine import EngineSettings  # noqa: E402
from engine.echo import EchoEngine  # noqa: E402

CALL = '<tool_call>{"name": "get_time", "arguments": {"time_zone": "Asia/Tokyo"}}</tool_call>'
TWO_ANSWERS = "document.querySelectorAll('[data-who=model]').length === 2"
HEARD = "document.querySelectorAll('.round [data-mark=heard]').length >= 2"


@contextlib.contextmanager
def own_server() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        engine = EchoEngine(EngineSettings(model="echo", voices_dir=Path(folder)), pace=1.0)
        with app(engine, voices_dir=Path(folder)) as url:
            yield url.replace("ws", "http", 1)


def opened(browser: Browser, url: str, **look: object) -> contextlib.AbstractContextManager[Page]:
    return browser.page(url, **look)  # type: ignore[arg-type]


def talk(page: Page) -> None:
    """Two spoken turns, of which the second interrupts the answer to the first."""
    page.until("document.querySelector('#served').dataset.status === 'ready'")
    page.click("#talk")
    page.until(TWO_ANSWERS)
    page.until(HEARD)


def readme(browser: Browser, url: str) -> None:
    """A talk beside its events, in the middle of the second answer."""
    with opened(browser, url, width=1240, height=720) as page:
        page.click("[data-panel=events]")
        talk(page)
        page.until("document.querySelector('.words:has(.unsaid:not(:empty))')")
        path = ROOT / "docs" / "page.png"
        path.parent.mkdir(exist_ok=True)
        page.picture(path)
        print(path, path.stat().st_size)


def states(browser: Browser, url: str, folder: Path, name: str, **look: object) -> None:
    """Every state in one look."""

    def picture(what: str) -> None:
        page.picture(folder / f"{name}-{what}.png")

    with opened(browser, url, **look) as page:
        page.until("document.querySelector('#served').dataset.status === 'ready'")
        picture("welcome")
        page.click("#talk")
        shows(page, "hearing")
        picture("hearing")
        shows(page, "speaking")
        picture("speaking")
        page.until(TWO_ANSWERS)
        page.until(HEARD)
        picture("interrupted")
        page.click("#end")
        page.click("[data-panel=settings]")
        picture("settings")
        page.click("[name=get_time]")
        set_field(page, "#set-output", "text")
        page.click("#panel-close")
        type_a_turn(page, CALL)
        page.until("document.querySelector('.call')")
        shows(page, "ready")
        picture("tool")
        page.click("[data-panel=voices]")
        page.choose_file("#clone-file", SPEECH / "long.wav")
        page.until("!document.querySelector('#clone-make').disabled")
        picture("voices")
        page.click("#panel-close")
        page.click("[data-panel=events]")
        page.until("document.querySelector('.log li')")
        page.click(".log li:last-child summary")
        picture("events")


def wrong(browser: Browser, url: str, folder: Path) -> None:
    with opened(browser, url) as page:
        page.click("#talk")
        page.until("document.querySelector('.notice')")
        page.picture(folder / "blocked.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("pictures"))
    parser.add_argument("--url", help="a server that runs, http://…")
    parser.add_argument("--readme", action="store_true")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        url = options.url or stack.enter_context(own_server())
        microphone = interrupting(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        browser = stack.enter_context(chromium(microphone))
        if options.readme:
            return readme(browser, url)
        options.folder.mkdir(parents=True, exist_ok=True)
        states(browser, url, options.folder, "light")
        states(browser, url, options.folder, "dark", dark=True)
        states(browser, url, options.folder, "phone", width=390, height=844)
        with chromium(microphone, allow=False) as deaf:
            wrong(deaf, url, options.folder)


if __name__ == "__main__":
    main()
