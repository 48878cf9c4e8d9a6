"""The page with @openai/agents-realtime in a real browser whose microphone hears a recording."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from running import QUESTION, environment

sys.path.insert(0, str(Path(__file__).parents[1] / "page"))
import browser


@pytest.fixture
def address(server, node_examples):
    process = subprocess.Popen(
        ["node", node_examples / "page" / "serve.mjs"],
        env=environment(server, PORT="0"),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield re.match(r"Open (\S+)", process.stdout.readline())[1]
    finally:
        process.terminate()
        process.wait(20)


def test_a_spoken_turn(address):
    if not browser.find_chromium():
        pytest.skip(browser.HOW_TO_GET_IT)
    with browser.chromium(QUESTION) as chromium, chromium.page(address) as page:
        page.click("#talk")
        page.until(
            "document.querySelector('#history [data-role=assistant]')?.textContent.includes('You said')"
        )
        # The microphone goes on asking, so its state may be any by now.
        assert page.run("document.querySelector('#history [data-role=user]') !== null")
        page.click("#talk")
        page.until("document.querySelector('#state').textContent === 'Ended.'")
        assert page.complaints == []
