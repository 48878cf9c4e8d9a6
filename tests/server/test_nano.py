"""The model in the box behind a real socket: what is served where no model is named, and how it answers."""

import asyncio
import json
import urllib.request

import numpy as np
import pytest
from caller import SILENCE, connect, recording, sound, types
from nano_serving import nano_server, transcript

TOKENS = 60
"""Of one answer, text and sound together: enough to see its shape."""
SPOKEN = ["response.output_audio_transcript.delta", "response.output_audio.delta"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with nano_server(tmp_path_factory.mktemp("home")) as url:
        yield url


def fetch(url: str, path: str):
    with urllib.request.urlopen(url.replace("ws", "http", 1) + path) as reply:
        return json.load(reply)["data"]


def assert_spoken(events):
    """The events of an answer in words and sound."""
    assert set(SPOKEN) <= set(types(events))
    done = events[-1].response
    assert done.status in ("completed", "incomplete")
    (item,) = done.output
    assert item.content[0].transcript == transcript(events)
    heard = np.frombuffer(sound(events), "<i2")
    assert len(heard) == 1920 * done.usage.output_token_details.audio_tokens > 0
    assert done.usage.output_token_details.text_tokens > 0
    assert np.abs(heard.astype(int)).max() > 0


def test_nano_and_its_voices_are_what_is_offered(server):
    assert [model["id"] for model in fetch(server, "/v1/models")] == ["nano"]
    assert [voice["id"] for voice in fetch(server, "/v1/audio/voices")] == ["river", "ember", "wren"]


def test_a_text_turn(server):
    async def talk():
        async with connect(server) as caller:
            assert caller.events[0].session.model == "nano"
            assert caller.events[0].session.audio.output.voice == "river"
            await caller.say("What is two plus three?")
            await caller.do.response.create(response={"max_output_tokens": TOKENS})
            assert_spoken(await caller.until("response.done"))

    asyncio.run(talk())


def test_a_spoken_turn_in_another_voice(server):
    async def talk():
        async with connect(server) as caller:
            session = {
                "type": "realtime",
                "max_output_tokens": TOKENS,
                "audio": {"output": {"voice": "wren"}},
            }
            await caller.do.session.update(session=session)
            await caller.until("session.updated")
            await caller.append(recording("sum") + SILENCE)
            events = await caller.until("response.done")
            assert types(events)[:3] == [
                "input_audio_buffer.speech_started",
                "input_audio_buffer.speech_stopped",
                "input_audio_buffer.committed",
            ]
            assert_spoken(events)
            assert events[-1].response.usage.input_token_details.audio_tokens > 25

    asyncio.run(talk())


def test_tools_cost_as_little_as_nano_is_told_of_them(server):
    tool = {"type": "function", "name": "get_time", "description": "What time it is, " * 50}

    async def talk():
        async with connect(server) as caller:
            await caller.say("hello")
            costs = []
            for tools in ([], [tool]):
                response = {"max_output_tokens": 2, "tools": tools, "output_modalities": ["text"]}
                await caller.do.response.create(response={"conversation": "none", **response})
                done = (await caller.until("response.done"))[-1].response
                costs.append(done.usage.input_tokens)
            assert 0 < costs[1] - costs[0] < 20

    asyncio.run(talk())


def test_it_writes_nothing_down_and_says_so(server):
    """It follows no instructions: what it would make of one is an answer, not what was said."""
    session = {
        "type": "realtime",
        "max_output_tokens": 2,
        "audio": {"input": {"transcription": {"model": "chroma"}}},
    }

    async def talk():
        async with connect(server) as caller:
            await caller.do.session.update(session=session)
            await caller.until("session.updated")
            await caller.append(recording("sum") + SILENCE)
            failed = (await caller.until("conversation.item.input_audio_transcription.failed"))[-1]
            assert failed.error.code == "transcription_unsupported"
            assert "--transcriber whisper:" in failed.error.message
            await caller.do.input_audio_buffer.clear()
            await caller.until("input_audio_buffer.cleared")

    asyncio.run(talk())
