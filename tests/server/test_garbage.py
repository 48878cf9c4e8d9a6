"""Python's search for reference cycles: that it comes seldom, and that sessions do not wait for it."""

import asyncio
import gc
import subprocess
import sys
import time
from collections import Counter

import pytest
from caller import PATIENCE, SILENCE, connect, recording
from test_webrtc import SESSION, dial

# In a process of its own: it is set for good.
SCRIPT = """
import gc, weakref
import realtime.server.app
from engine.garbage import settle

class Knot:
    def __init__(self):
        self.self = self

before = len(gc.get_objects())
settle()
assert gc.get_freeze_count() > before / 2, gc.get_freeze_count()
assert len(gc.get_objects()) < before / 10
seen = []
gc.callbacks.append(lambda phase, info: seen.append(info["generation"]))
lost = weakref.ref(Knot())
kept = [[] for _ in range(10_000)]
assert lost() is not None and not seen, "not after a few objects"
kept += [[] for _ in range(20_000)]
assert lost() is None and set(seen) == {0}, "but in time"
"""


def test_what_was_there_before_is_searched_no_more_and_what_comes_seldom():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


async def speak(url):
    """An answered turn, an error, and a client that leaves."""
    async with connect(url) as caller:
        await caller.append(recording("question") + SILENCE)
        await caller.until("response.done")
        await caller.refused("nonsense")


async def interrupt(url):
    """A client that leaves while it is answered, with sound that waits to be heard."""
    async with connect(url) as caller:
        await caller.append(recording("long") + SILENCE)
        await caller.until("response.output_audio.delta")
        await caller.append(recording("long"))


async def call(url):
    """An answered turn by WebRTC."""
    async with dial(url, SESSION) as phone:
        await phone.until("session.created")
        phone.microphone.waiting += recording("question")
        await phone.until("response.done")


def of_sessions():
    """What there is of sessions, by its class."""
    modules = ("realtime.session.", "realtime.server.connection", "realtime.server.webrtc.")
    return Counter(
        kind.__qualname__ for kind in map(type, gc.get_objects()) if str(kind.__module__).startswith(modules)
    )


@pytest.mark.parametrize("talk", [speak, interrupt, call])
def test_a_session_that_has_ended_is_freed_without_a_search(paced, talk):
    gc.collect()
    gc.disable()
    try:
        before = of_sessions()
        asyncio.run(talk(paced))
        # The server is done with a session a moment after its client is.
        end = time.monotonic() + PATIENCE
        while (left := of_sessions() - before) and time.monotonic() < end:
            pass
        assert not left
    finally:
        gc.enable()
