"""Talking by the page, in Chromium, against a real server: every way to take a turn."""

import json

from serving import SPEECH
from using import events, set_field, shows, type_a_turn, types, words


def test_a_spoken_turn(page):
    """Press, speak, and be answered; with the way to the answer measured."""
    page.click("#talk")
    shows(page, "hearing")
    shows(page, "speaking")
    page.until(f"{words('you', 0)}?.startsWith('You said')")
    page.until(f"{words('model', 0)}?.startsWith('You said')")
    page.until("document.querySelectorAll('.round li').length === 4")
    labels = page.run("[...document.querySelectorAll('.round li')].map(one => one.innerText)")
    took = [int(label.split()[-2]) for label in labels]
    assert [" ".join(label.split()[:-2]) for label in labels] == [
        "committed",
        "first text",
        "first audio",
        "heard",
    ]
    # Half a second of silence ends a turn: what is measured begins before it.
    assert took == sorted(took)
    assert took[0] > 400
    assert page.run("document.querySelector('#median .figure').innerText") == f"{took[-1]} ms"
    page.click("#end")
    shows(page, "off")
    page.until("document.querySelector('#talk').innerText === 'Talk'")


def test_barge_in(page):
    """Speech over an answer silences it, and the server is told how much of it was heard."""
    page.click("#talk")
    page.until("document.querySelector('[data-who=model][data-state=cut]')")
    page.until("document.querySelectorAll('[data-who=model]').length === 2")
    page.click("#end")
    found = events(page)
    sent = [one["event"] for one in found if one["from"] == "client"]
    (truncated,) = (one for one in sent if one["type"] == "conversation.item.truncate")
    received = [one["event"] for one in found if one["from"] == "server"]
    assert "conversation.item.truncated" in types(found, "server")
    (first,) = (
        one["response"]["output"][0]
        for one in received
        if one["type"] == "response.done" and one["response"]["status"] == "cancelled"
    )
    assert truncated["item_id"] == first["id"]
    made = [one for one in received if one["type"] == "response.output_audio.delta"]
    seconds = sum(float(one["delta"].split()[0].lstrip("(")) for one in made if one["item_id"] == first["id"])
    assert 0 < truncated["audio_end_ms"] <= seconds * 1000 + 10


def test_a_typed_turn_needs_no_microphone(page):
    page.press("/")
    page.type("good morning everyone")
    page.press("Enter")
    page.until(f"{words('you')} === 'good morning everyone'")
    shows(page, "speaking")
    page.until(f"{words('model')} === 'good morning everyone'")
    shows(page, "ready")
    assert page.run("document.querySelector('#talk').innerText") == "Talk"
    assert page.run("document.querySelectorAll('.unsaid')[1].innerText") == ""


def test_escape_stops_an_answer(page):
    type_a_turn(page, "one two three four five six seven eight nine ten")
    shows(page, "speaking")
    page.press("Escape")
    page.until("document.querySelector('[data-who=model][data-state=cut]')")
    shows(page, "ready")
    page.until("document.querySelector('[data-state=cut] .unsaid').innerText.length > 0")


def test_written_answers(page):
    page.click("[data-panel=settings]")
    set_field(page, "#set-output", "text")
    type_a_turn(page, "write this")
    page.until(f"{words('model')} === 'write this'")
    shows(page, "ready")
    page.until("document.querySelector('#announcer').innerText === 'write this'")
    assert "response.output_audio.delta" not in types(events(page), "server")


def test_a_recording_is_a_turn(page):
    page.choose_file("#recording", SPEECH / "question.wav")
    page.until(f"{words('you')} === 'You said 2.7 seconds of sound.'")
    page.until(f"{words('model')} === 'You said 2.7 seconds of sound.'")


def test_a_tool_call(page):
    """The page turns dark because the model asks it to, and the model hears of it."""
    page.click("[data-panel=settings]")
    page.click("[name=set_light]")
    call = {"name": "set_light", "arguments": {"theme": "dark"}}
    type_a_turn(page, f"<tool_call>{json.dumps(call)}</tool_call>")
    page.until("document.documentElement.dataset.theme === 'dark'")
    page.until(
        "document.querySelector('[data-who=tool] .call')?.innerText.endsWith('→ {\"theme\":\"dark\"}')"
    )
    page.until(f"{words('model')}?.includes('dark')")
    assert types(events(page), "client").count("response.create") == 2


def test_a_tool_that_fails_says_why(page):
    answer = page.run(
        """import("/page/tools/tools.js").then(({run}) => Promise.all([
            run("get_time", '{"time_zone": "Mars/Olympus"}'), run("nothing", ""), run("get_time", "{"),
            run("get_time", '{"time_zone": "Asia/Tokyo"}')]))"""
    )
    assert ["error" in json.loads(one) for one in answer] == [True, True, True, False]
    assert json.loads(answer[3])["time_zone"] == "Asia/Tokyo"


def test_a_cloned_voice(page):
    """Recorded, written down, consented to, heard at once, and spoken with where the talk stands."""
    type_a_turn(page, "before")
    page.until(f"{words('model')} === 'before'")
    shows(page, "ready")
    page.click("[data-panel=voices]")
    page.click("#clone-record")
    page.until("document.querySelector('progress').value >= 3.5")
    page.click("#clone-record")
    page.until("/^\\d\\.\\d s of sound\\.$/.test(document.querySelector('#clone-length').innerText)")
    page.click("#clone-write")
    page.until("document.querySelector('#clone-transcript').value.startsWith('You said')")
    page.click("#clone-name")
    page.type("ann")
    page.click("#clone-make")
    assert page.run("document.querySelectorAll('.voices li').length") == 1  # Not without consent.
    page.click("#clone-consent")
    page.click("#clone-make")
    page.until("document.querySelector('.voices [value=ann]')?.checked")
    shows(page, "speaking")
    shows(page, "ready")
    type_a_turn(page, "after")
    page.until(f"{words('model')} === 'after'")
    found = events(page)
    sessions = [one["event"]["session"] for one in found if one["event"]["type"] == "session.updated"]
    assert sessions[-1]["audio"]["output"]["voice"] == "ann"
    # The conversation went with it.
    replayed = [one["event"]["item"] for one in found if one["event"]["type"] == "conversation.item.create"]
    assert [one["content"][0]["text"] for one in replayed] == ["before", "before", "before", "after"]
    consent = page.run("document.querySelector('.voices [value=ann]').closest('label').title")
    assert "Ticked in the page on 2" in consent
    page.run(
        "[...document.querySelectorAll('.voices button')].find(one => one.innerText === 'Remove').click()"
    )
    page.until("!document.querySelector('.voices [value=ann]')")


APPENDS = "Number(document.querySelector('.log').innerText.match(/buffer.append\\s+× (\\d+)/)?.[1])"


def test_hold_to_talk(page):
    page.click("[data-panel=settings]")
    page.click("[name=turns][value=push]")
    page.click("#talk")
    page.until("document.querySelector('#talk').innerText === 'Hold to talk'")
    page.click("[data-panel=events]")
    page.click("[name=sound]")
    page.run("document.activeElement.blur()")  # A space in a box ticks it.
    page.press(" ", kinds=("keyDown",))
    shows(page, "hearing")
    page.until(f"{APPENDS} >= 15")
    page.press(" ", kinds=("keyUp",))
    page.until(f"{words('you')}?.startsWith('You said')")
    shows(page, "speaking")
    # A key that was only touched is no turn, and no error.
    page.press(" ")
    shows(page, "ready")
    assert page.run("document.querySelector('#notices').innerText") == ""
    assert types(events(page), "client").count("input_audio_buffer.commit") == 1


def test_telephone_sound(page):
    """µ-law both ways: what echo says again is as long as what was said."""
    page.click("[data-panel=settings]")
    set_field(page, "#set-format", "audio/pcmu")
    page.choose_file("#recording", SPEECH / "question.wav")
    page.until(f"{words('model')} === 'You said 2.7 seconds of sound.'")
    shows(page, "ready")
    made = [one["event"] for one in events(page) if one["event"]["type"] == "response.output_audio.delta"]
    assert abs(sum(float(one["delta"].split()[0].lstrip("(")) for one in made) - 2.7) < 0.3


def test_a_recording_that_is_stopped_while_the_browser_asks_leaves_no_microphone_on(page):
    page.run(
        "{ const devices = navigator.mediaDevices; const ask = devices.getUserMedia.bind(devices);"
        " devices.getUserMedia = async (wishes) => { window.given = await ask(wishes);"
        " await new Promise((go) => { window.allow = go; }); return window.given; }; }"
    )
    page.click("[data-panel=voices]")
    page.click("#clone-record")
    page.until("window.allow !== undefined")
    page.click("#clone-record")
    page.run("window.allow()")
    page.until("window.given.getTracks().every((track) => track.readyState === 'ended')")
