"""The telephone bridge between a caller who plays Twilio's side of the socket and a real server."""

import asyncio
import queue
import re
import subprocess
import sys
import threading
import urllib.request

import numpy as np
import pytest
import soundfile
import soxr
from running import EXAMPLES, ROOT, environment
from telephone import Telephone

from realtime.audio.g711 import encode

SILENCE = bytes([0xFF]) * 8_000
"""One second."""


def spoken(name):
    """A recording as a telephone sends it."""
    sound, rate = soundfile.read(ROOT / "tests" / "data" / "speech" / f"{name}.wav", dtype="float32")
    return encode((soxr.resample(sound, rate, 8_000) * 32767).astype(np.int16), "mu-law")


@pytest.fixture(scope="module")
def bridge(server):
    """Its address, and a queue of the lines it prints."""
    process = subprocess.Popen(
        [sys.executable, EXAMPLES / "twilio" / "bridge.py", "--port", "0"],
        env=environment(server),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = queue.Queue()
    threading.Thread(target=lambda: [lines.put(line) for line in process.stdout], daemon=True).start()
    try:
        while not (found := re.search(r"running on http://(\S+)", lines.get(timeout=30))):
            pass
        yield found[1], lines
    finally:
        process.terminate()
        process.wait(20)


def until(lines, pattern):
    """The first line from here on that has it."""
    while not (found := re.search(pattern, lines.get(timeout=20))):
        pass
    return found


def test_the_webhook_connects_a_call_to_the_bridge(bridge):
    address, _ = bridge
    request = urllib.request.Request(f"http://{address}/twiml", data=b"CallSid=CA1", method="POST")
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.headers["content-type"].startswith("text/xml")
        assert f'<Connect><Stream url="wss://{address}/media"/></Connect>' in reply.read().decode()


def test_a_call_is_answered_and_may_be_interrupted(bridge):
    address, lines = bridge

    async def call():
        async with Telephone(f"ws://{address}/media") as phone:
            await phone.say(spoken("question") + SILENCE)
            for _ in range(20):
                assert await phone.receive() in ("media", "mark")
            # Some of it still waits when the caller speaks again.
            await phone.play(10)
            played_ms = len(phone.heard) // 8
            assert 0 < played_ms <= 400

            await phone.say(spoken("question2"))
            while not phone.cleared:
                await phone.receive()
            assert len(phone.heard) // 8 == played_ms, "what was cleared is not heard"

            await phone.say(SILENCE)
            first, phone.heard = phone.heard, b""
            async with asyncio.timeout(20):
                while len(phone.heard) < 2 * len(first):
                    await phone.receive()
                    await phone.play()
            return played_ms

    played_ms = asyncio.run(asyncio.wait_for(call(), 60))
    assert int(until(lines, r"The caller heard (\d+) ms of the answer")[1]) == played_ms
