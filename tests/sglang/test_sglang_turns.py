"""Spoken turns with the Reasoner in SGLang: what is read before, and a scheduler that is killed."""

import base64
import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import GOLDEN, PATIENCE, run
from serving import app
from websockets.sync.client import connect

from engine.api import Audio, Finished, Message, Request, Text, TextDelta
from engine.chroma import engine as chroma_engine
from engine.processes import alive
from engine.settings import EngineSettings

SYSTEM = Message("system", (Text("be brief"),))


def sound(seconds: float, seed: int) -> bytes:
    made = np.random.default_rng(seed).standard_normal(int(seconds * 24_000)) * 0.1
    return (made * 32767).astype("<i2").tobytes()


@pytest.fixture
def engines(chroma, local, monkeypatch):
    """Builds engines around one of the models that are loaded already."""
    monkeypatch.setattr(chroma.reasoner, "close", lambda: None)

    def build(model):
        monkeypatch.setattr(chroma_engine, "load_model", lambda *_, **__: model)
        settings = EngineSettings(model=str(GOLDEN), device="cpu", slots=4, admission=False)
        return chroma_engine.ChromaEngine(settings)

    return build


async def answer(engine, request):
    events = [event async for event in engine.respond(request)]
    assert isinstance(events[-1], Finished)
    return "".join(event.text for event in events if isinstance(event, TextDelta)), events[-1].usage


def turn(name, messages, most=8) -> Request:
    return Request(name, (SYSTEM, *messages), speak=False, max_tokens=most)


async def with_engine(engine, work):
    await engine.open()
    try:
        return await work(engine)
    finally:
        await engine.close()


def test_three_spoken_turns_are_never_read_twice(engines, chroma, local):
    """By SGLang's own counters; and the model in this process says the same."""
    spoken = [Message("user", (Audio(f"three-{n}", sound(2.5 + n, 10 + n)),)) for n in range(3)]

    async def work(engine):
        messages, told = [], []
        for number, message in enumerate(spoken):
            messages.append(message)
            text, usage = await answer(engine, turn(f"t{number}", messages))
            told.append((text, usage))
            messages.append(Message("assistant", (Text(text),)))
        return told

    told = run(with_engine(engines(chroma), work))
    assert [text for text, _ in told] == [text for text, _ in run(with_engine(engines(local), work))]
    cached = [(usage.cached_text_tokens, usage.cached_audio_tokens) for _, usage in told]
    audio = [usage.input_audio_tokens for _, usage in told]
    text = [usage.input_text_tokens for _, usage in told]
    assert audio[0] < audio[1] < audio[2]
    assert cached[0][1] == 0
    for before in range(2):
        assert cached[before + 1][1] == audio[before], "all sound of the turns before"
        assert text[before + 1] > cached[before + 1][0] >= text[before]


def test_what_is_read_while_the_user_speaks_changes_nothing_but_the_time(engines, chroma, local):
    pcm, most = sound(7.3, 20), 10
    spoken = [Message("user", (Audio("ahead", pcm),))]

    async def ahead(engine):
        before = Request("before", (SYSTEM,))
        for begin in range(0, len(pcm), 19_200):
            await engine.listen(Audio("ahead", pcm[begin : begin + 19_200]), None if begin else before)
        return await answer(engine, turn("ahead", spoken, most))

    async def plain(engine):
        return await answer(engine, turn("plain", spoken, most))

    said, usage = run(with_engine(engines(chroma), ahead))
    expected, _ = run(with_engine(engines(local), plain))
    assert said == expected
    assert usage.cached_audio_tokens >= 50, "blocks of 2 s were read before the turn was over"


def schedulers(host: int) -> list[int]:
    """The processes of a host that compute."""
    names = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().decode() for pid in alive(host)}
    found = [pid for pid, name in names.items() if "scheduler" in name]
    assert found, names
    return found


class Client:
    """A session over the WebSocket, answered by hand."""

    def __init__(self, socket) -> None:
        self._socket = socket

    def send(self, kind, **fields) -> None:
        self._socket.send(json.dumps({"type": kind, **fields}))

    def until(self, *kinds):
        while True:
            event = json.loads(self._socket.recv(timeout=PATIENCE))
            assert event["type"] != "error", event
            if event["type"] in kinds:
                return event

    def speak(self, pcm: bytes) -> None:
        for begin in range(0, len(pcm), 19_200):
            audio = base64.b64encode(pcm[begin : begin + 19_200]).decode()
            self.send("input_audio_buffer.append", audio=audio)
        self.send("input_audio_buffer.commit")
        self.until("input_audio_buffer.committed")


def test_a_scheduler_that_is_killed_takes_the_answer_and_nothing_else(engines, chroma):
    """The last of all tests: it starts SGLang again."""
    keeper = chroma.reasoner.keeper
    with app(engines(chroma)) as url, connect(f"{url}/v1/realtime?model=golden") as socket:
        client = Client(socket)
        client.until("session.created")
        manual = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
        client.send("session.update", session=manual)
        client.until("session.updated")
        client.speak(sound(3.0, 30))
        client.send("response.create")
        client.until("response.output_audio_transcript.delta")
        killed = time.monotonic()
        for pid in schedulers(keeper.pid):
            os.kill(pid, signal.SIGKILL)
        done = client.until("response.done")["response"]
        noticed = time.monotonic() - killed
        assert done["status"] == "failed"
        assert done["status_details"]["error"]["code"] == "reasoner_died"
        # Meanwhile the session lives, and is told the truth.
        client.send("response.create")
        refused = client.until("response.done")["response"]
        assert refused["status_details"]["error"]["code"] == "reasoner_restarting"
        assert keeper.recovered(PATIENCE)
        client.speak(sound(2.0, 31))
        client.send("response.create", response={"output_modalities": ["text"], "max_output_tokens": 5})
        last = client.until("response.done")["response"]
        assert last["status_details"]["reason"] == "max_output_tokens"
        # All of the conversation was read, the sound of the first turn with it.
        assert last["usage"]["input_token_details"]["audio_tokens"] == 75 + 50
    assert noticed < PATIENCE
