"""The operator's mark is in all sound that leaves, by every way; what cannot be marked does not leave."""

import asyncio

import httpx
import numpy as np
import pytest
from caller import connect, sound
from serving import app

from engine import EngineError, EngineSettings
from engine.echo import EchoEngine
from realtime.server.readiness import Readiness
from realtime.server.watermark import MarkedEngine, find_marker

WORDS = "good morning to you"


def echo_engine() -> EchoEngine:
    return EchoEngine(EngineSettings(model="echo"))


def marked(pcm: bytes) -> bool:
    """The lowest bits alternate from the first sample to the last."""
    bits = np.frombuffer(pcm, "<i2") & 1
    return len(bits) > 1_000 and bool((bits == np.arange(len(bits)) % 2).all())


def test_all_sound_is_marked_whichever_way_it_leaves():
    async def talk(url: str) -> bytes:
        async with connect(url) as caller:
            await caller.say(WORDS)
            await caller.do.response.create()
            return sound(await caller.until("response.done"))

    with app(echo_engine(), watermark="marking:parity") as url:
        base = f"{url.replace('ws', 'http', 1)}/v1"
        assert marked(asyncio.run(talk(url)))
        speech = {"input": WORDS, "model": "echo", "response_format": "pcm"}
        assert marked(httpx.post(f"{base}/audio/speech", json=speech).content)
    with app(echo_engine()) as url:
        assert not marked(asyncio.run(talk(url)))


@pytest.mark.parametrize(("name", "why"), [("breaks", "no key for the mark"), ("cuts", "3838 bytes of 3840")])
def test_sound_that_cannot_be_marked_is_not_sent(name, why):
    failure = []

    async def start() -> None:
        engine = MarkedEngine(echo_engine(), find_marker(f"marking:{name}"))
        over = asyncio.Event()
        readiness = Readiness(engine)
        readiness.start(over.set, lambda message: (failure.append(message), over.set()))
        await asyncio.wait_for(over.wait(), 20)
        await readiness.stop()

    asyncio.run(start())
    assert why in failure[0], "found before anybody calls"


@pytest.mark.parametrize("name", ["nowhere:f", "marking:nothing", "marking", "marking:NOT_A_FUNCTION", ":"])
def test_a_mark_that_is_not_there_is_told_by_name(name):
    with pytest.raises(EngineError, match="--watermark") as caught:
        find_marker(name)
    assert name in caught.value.message
