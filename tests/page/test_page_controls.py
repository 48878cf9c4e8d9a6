"""What surrounds the talk: settings, the inspector, keys, looks, and what the page says when something is
wrong."""

import contextlib
import json

import pytest
from browser import chromium
from serving import SPEECH, app, self_signed
from using import copied, events, set_field, shows, type_a_turn, words
from websockets.sync.client import connect

from engine import EngineSettings
from engine.echo import EchoEngine
from realtime.server.access import Access
from realtime.server.client_secrets import ClientSecrets, signing_secret
from realtime.server.keys import Keyring
from realtime.server.origins import Origins

KEY = "sk-0123456789abcdef"


def test_settings_reach_the_session_and_last(page, site):
    page.click("[data-panel=settings]")
    set_field(page, "#set-silence_ms", "900")
    set_field(page, "#set-instructions", "Be brief.")
    type_a_turn(page, "hello")
    page.until(f"{words('model')} === 'hello'")
    (session,) = (
        one["event"]["session"] for one in events(page) if one["event"]["type"] == "session.updated"
    )
    assert session["instructions"] == "Be brief."
    assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 900
    page.go(site)
    assert page.until("document.querySelector('#set-silence_ms')?.value") == "900"


def test_the_inspector_filters_folds_and_opens(page):
    type_a_turn(page, "look at this")
    page.until(f"{words('model')} === 'look at this'")
    page.click("[data-panel=events]")
    page.click("#events input[type=search]")
    page.type("response.done")
    rows = "[...document.querySelectorAll('.log summary .type')].map(one => one.innerText)"
    page.until(f"{rows}.join() === 'response.done'")
    page.click(".log summary")
    page.until("document.querySelector('.log pre').innerText.includes('\"status\": \"completed\"')")
    assert [one["event"]["type"] for one in copied(page)] == ["response.done"]
    set_field(page, "#events input[type=search]", "", "input")
    sound = [one["event"] for one in events(page) if one["event"]["type"] == "response.output_audio.delta"]
    assert {one["delta"] for one in sound} == {"(0.08 s of sound)"}
    # What repeats is one row.
    assert page.run("document.querySelectorAll('.log li').length") < len(copied(page))
    assert "× " in page.run("document.querySelector('.log').innerText")


def test_the_keyboard_is_enough(page):
    page.press("e")
    page.until("!document.querySelector('#events').hidden")
    assert page.run("document.activeElement.id") == "panel-title"
    page.press("Escape")
    page.until("document.querySelector('#panel').hidden")
    assert page.run("document.activeElement.dataset.panel") == "events"
    page.press("/")
    assert page.run("document.activeElement.id") == "words"
    page.type("v")
    page.press("v")
    assert page.run("document.querySelector('#panel').hidden")
    page.run("document.activeElement.blur()")
    page.press(" ")
    shows(page, "hearing")
    page.press(" ")
    page.until("document.querySelector('#talk').innerText === 'Unmute'")


def test_everything_has_a_name(page):
    """What a screen reader says of each thing that can be worked, in every panel."""
    for name in ("voices", "settings", "events"):
        page.click(f"[data-panel={name}]")
        nameless = [node for node in page.accessible() if not node[1]]
        assert nameless == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_phone_has_room_and_words_can_be_read(browser, site, dark):
    with browser.page(site, width=360, height=740, dark=dark) as page:
        for name in ("voices", "settings", "events"):
            page.click(f"[data-panel={name}]")
            assert page.run("document.documentElement.scrollWidth") <= 360
            page.click("#panel-close")
        ratios = page.run(CONTRAST)
        assert {name: ratio for name, ratio in ratios.items() if ratio < 4.5} == {}


CONTRAST = """(() => {
    const canvas = document.createElement("canvas").getContext("2d");
    const light = name => {
        canvas.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name);
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(one => one / 255)
            .map(one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
    };
    const paper = light("--paper");
    return Object.fromEntries(["--ink", "--soft", "--you", "--model"].map(name => {
        const two = [light(name), paper];
        return [name, Math.max(...two) / Math.min(...two)];
    }));
})()"""


def notice(page, title):
    page.until(f"document.querySelector('.notice strong')?.innerText === {json.dumps(title)}")
    return page.run("document.querySelector('.notice').innerText")


@pytest.mark.usefixtures("browser")
def test_a_blocked_microphone(site):
    with chromium(SPEECH / "question.wav", allow=False) as browser, browser.page(site) as page:
        page.click("#talk")
        assert "Allow it in the site settings" in notice(page, "The microphone is blocked")
        # The rest works.
        type_a_turn(page, "then I type")
        page.until(f"{words('model')} === 'then I type'")


def test_a_full_server(browser):
    with (
        app(EchoEngine(EngineSettings(model="echo")), max_sessions=1) as url,
        browser.page(url.replace("ws", "http", 1)) as page,
    ):
        with connect(f"{url}/v1/realtime") as other:
            other.recv(10)
            type_a_turn(page, "hello")
            assert "The server holds 1 sessions, its limit." in notice(page, "The server is full")
        page.until("fetch('ready').then(one => one.json()).then(one => one.sessions === 0)")
        page.click(".notice button")
        page.until(f"{words('model')} === 'hello'")


def test_a_key_is_asked_for(browser):
    access = Access(Keyring.read([f"ada {KEY}"], "keys"), ClientSecrets(signing_secret(None, None)))
    with (
        app(EchoEngine(EngineSettings(model="echo")), access=access) as url,
        browser.page(url.replace("ws", "http", 1)) as page,
    ):
        assert "chroma-realtime key NAME" in notice(page, "This server wants a key")
        page.click(".notice input")
        page.type(KEY)
        page.press("Enter")
        page.until("document.querySelector('.voices input')")
        page.until("!document.querySelector('.notice')")
        type_a_turn(page, "let me in")
        page.until(f"{words('model')} === 'let me in'")


def test_over_https(browser, tmp_path):
    certificate, key = self_signed(tmp_path)
    with (
        app(EchoEngine(EngineSettings(model="echo")), ssl_certfile=certificate, ssl_keyfile=key) as url,
        browser.page(url.replace("ws", "https", 1), any_certificate=True) as page,
    ):
        type_a_turn(page, "in private")
        page.until(f"{words('model')} === 'in private'")


def test_an_address_that_may_not_come_in_is_told(browser, monkeypatch):
    monkeypatch.setattr(Origins, "allow", lambda *_: False)
    with (
        app(EchoEngine(EngineSettings(model="echo"))) as url,
        browser.page(url.replace("ws", "http", 1)) as page,
    ):
        type_a_turn(page, "hello")
        page.until(
            "[...document.querySelectorAll('.notice')].some(one => one.innerText.includes('--origin'))"
        )


def test_a_lost_connection(browser):
    with contextlib.ExitStack() as after:
        with app(EchoEngine(EngineSettings(model="echo"))) as url:
            page = after.enter_context(browser.page(url.replace("ws", "http", 1)))
            type_a_turn(page, "hello")
            page.until(f"{words('model')} === 'hello'")
        assert "Connect again" in notice(page, "The connection was lost")
        shows(page, "off")
