"""What a person does with the page, as the tests put it."""

import json
import wave
from pathlib import Path

from serving import SPEECH

STATE = "document.querySelector('#state').dataset.state"


def interrupting(folder: Path) -> Path:
    """What the microphone hears: a question, and 2 s later another, in the middle of an answer that is as
    long as the question. A machine that lags by a second still has it in the middle."""
    path = folder / "interrupting.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 24_000, 0, "NONE", ""))
        for name, silence_s in (("question", 2), ("question2", 1)):
            with wave.open(str(SPEECH / f"{name}.wav")) as spoken:
                out.writeframes(spoken.readframes(spoken.getnframes()) + bytes(48_000 * silence_s))
    return path


def shows(page, state):
    page.until(f"{STATE} === '{state}'")


def words(who, index=-1):
    """The words of a turn, as an expression."""
    return f"[...document.querySelectorAll('[data-who={who}] .words')].at({index})?.innerText"


def type_a_turn(page, text):
    page.click("#words")
    page.type(text)
    page.press("Enter")


def set_field(page, selector, value, happening="change"):
    page.run(
        f"{{ const field = document.querySelector({json.dumps(selector)}); field.value = {json.dumps(value)};"
        f" field.dispatchEvent(new Event('{happening}')); }}"
    )


def events(page):
    """All events that the inspector has."""
    page.run(
        "if (document.querySelector('#events').hidden) document.querySelector('[data-panel=events]').click()"
    )
    page.run("{ const sound = document.querySelector('[name=sound]'); if (!sound.checked) sound.click(); }")
    page.until("/^\\d+ events$/.test(document.querySelector('#events .count').innerText)")
    return copied(page)


def copied(page):
    """What the inspector copies as JSON."""
    page.allow("audioCapture", "clipboardReadWrite", "clipboardSanitizedWrite")
    page.run("document.querySelector('#copy').click()")
    page.until("document.querySelector('#copy').innerText === 'Copied'")
    return json.loads(page.run("navigator.clipboard.readText()"))


def types(found, sender):
    return [one["event"]["type"] for one in found if one["from"] == sender]
