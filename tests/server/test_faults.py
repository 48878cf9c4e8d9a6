"""Whatever fails in the middle of a conversation, it goes on, and the engine is told all of it again."""

import contextlib
import os
import resource
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
import torch
from serving import GOLDEN, app
from test_socket import receive, say, send, until
from websockets.sync.client import connect

from engine import EngineSettings, Message, Request, Text
from engine.child import Child
from engine.chroma.checkpoint import Checkpoint
from engine.chroma.engine import ChromaEngine
from engine.chroma.speaker import Speaker
from engine.factory import ECHO_PACE
from engine.process import ProcessEngine
from engine.voices import VoiceStore

ECHO = EngineSettings(model="echo")
PATIENCE = 30.0
ENDS = ("completed", "incomplete")


class Asked:
    """An engine that keeps what it was asked."""

    asked: list[Request]

    def respond(self, request):
        self.asked = [*getattr(self, "asked", []), request]
        return super().respond(request)  # type: ignore[misc]


class Process(Asked, ProcessEngine):
    """In a process that can be killed."""


class Here(Asked, ChromaEngine):
    """The model in this process."""


@contextlib.contextmanager
def talking(engine, **settings) -> Iterator[tuple]:
    """A session that has said good morning and was answered."""
    with app(engine, **settings) as url, connect(url + "/v1/realtime") as client:
        receive(client)
        say(client, "good morning")
        # The tiny model's answers are cut by their length.
        assert done(client)["status"] in ENDS
        yield url, client


def done(client) -> dict:
    return until(client, "response.done")[-1]["response"]


def failure(response: dict) -> str:
    assert response["status"] == "failed", response
    return response["status_details"]["error"]["code"]


def answered(client, code: str = "engine_restarting", **response) -> dict:
    """The first answer that succeeds; until then each fails by this code."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        send(client, "response.create", **({"response": response} if response else {}))
        answer = done(client)
        if answer["status"] != "failed":
            return answer
        assert failure(answer) == code
        time.sleep(0.05)
    raise AssertionError("no answer succeeds any more")


def words(messages: tuple[Message, ...]) -> list[str]:
    """What was said so far, as the engine was told, but for the instructions."""
    return [part.text for message in messages[1:] for part in message.parts if isinstance(part, Text)]


@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_an_engine_that_dies_or_hangs_in_the_middle_of_an_answer(monkeypatch, signal_):
    monkeypatch.setenv(ECHO_PACE, "4")
    engine = Process(replace(ECHO, watchdog_s=1.0))
    with talking(engine) as (_, client):
        say(client, "tell me a story that is so long that nobody hears its end")
        until(client, "response.output_audio.delta")
        os.kill(engine.pid, signal_)
        assert failure(done(client)) == "engine_died"
        assert answered(client)["status"] == "completed"
    story = "tell me a story that is so long that nobody hears its end"
    heard = words(engine.asked[-1].messages)
    assert heard[:3] == ["good morning", "good morning", story]
    assert story.startswith(heard[3]), "what the client was given of the answer that broke"


@pytest.fixture(scope="module")
def golden() -> EngineSettings:
    return EngineSettings(
        model=str(GOLDEN), device="cpu", slots=2, max_seconds=1.0, admission=False, in_process=True
    )


def test_a_device_that_runs_out_of_memory(golden, monkeypatch):
    engine = Here(golden)
    step = Speaker.step
    failing = []

    def full(self, speeches):
        if failing:
            raise failing.pop()
        return step(self, speeches)

    monkeypatch.setattr(Speaker, "step", full)
    with talking(engine) as (_, client):
        failing.append(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."))
        say(client, "how are you")
        assert failure(done(client)) == "engine_out_of_memory"
        send(client, "response.create")
        assert done(client)["status"] in ENDS
    assert words(engine.asked[-1].messages)[0] == "good morning"
    assert "how are you" in words(engine.asked[-1].messages)


def voice(folder: Path, name: str) -> Path:
    """Adds a voice; returns its sample."""
    recording = folder / "recording.wav"
    soundfile.write(recording, 0.3 * np.sin(np.arange(5 * 24_000) / 17), 24_000)
    return VoiceStore(folder / "voices").add(name, recording, "humming", "Nobody's voice.").sample


def test_a_voice_that_is_corrupted(tmp_path):
    sample = voice(tmp_path, "ann")
    engine = Process(replace(ECHO, voices_dir=tmp_path / "voices"))
    with talking(engine, voices_dir=tmp_path / "voices") as (_, client):
        speaks = {"audio": {"output": {"voice": "ann"}}}
        send(client, "response.create", response=speaks)
        assert done(client)["status"] == "completed"
        sample.write_bytes(sample.read_bytes()[:100])
        send(client, "response.create", response=speaks)
        assert failure(done(client)) == "unknown_voice"
        assert answered(client, audio={"output": {"voice": "espeak"}})["status"] == "completed"
    assert words(engine.asked[-1].messages)[:3] == ["good morning"] * 3


def test_a_checkpoint_that_is_corrupted_when_the_engine_has_to_start_again(tmp_path, monkeypatch):
    """The child is echo's, which starts soon; before that the checkpoint is read as the model reads it."""
    weights = tmp_path / "model.safetensors"
    shutil.copy(GOLDEN / "model.safetensors", weights)
    start = Child.start

    async def reads(settings):
        Checkpoint(tmp_path)
        return await start(settings)

    monkeypatch.setattr(Child, "start", reads)
    engine = Process(ECHO)
    with talking(engine) as (_, client):
        whole = weights.read_bytes()
        weights.write_bytes(whole[: len(whole) // 2])
        os.kill(engine.pid, signal.SIGKILL)
        end, why = time.monotonic() + PATIENCE, ""
        while "weights cannot be read" not in why:
            assert time.monotonic() < end, why
            send(client, "response.create")
            answer = done(client)
            if answer["status"] == "failed":
                why = answer["status_details"]["error"]["message"]
            time.sleep(0.05)
        weights.write_bytes(whole)
        assert answered(client)["status"] == "completed"
    assert words(engine.asked[-1].messages)[:2] == ["good morning"] * 2


def test_a_disk_that_is_full_while_a_voice_is_added(tmp_path):
    """A file may have 100 kB here; the voice needs twice that."""
    folder = tmp_path / "voices"
    recording = tmp_path / "recording.flac"
    soundfile.write(recording, 0.3 * np.sin(np.arange(5 * 24_000) / 17), 24_000)
    engine = Process(replace(ECHO, voices_dir=folder))
    with talking(engine, voices_dir=folder) as (url, client):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        try:
            added = httpx.post(
                f"{url.replace('ws', 'http', 1)}/v1/audio/voices",
                data={"name": "ann", "transcript": "humming", "consent": "Nobody's voice."},
                files={"file": ("ann.flac", recording.read_bytes(), "audio/flac")},
            )
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert (added.status_code, added.json()["error"]["code"]) == (507, "voice_not_writable")
        assert list(folder.iterdir()) == [], "nothing is left of it"
        say(client, "and good night")
        assert done(client)["status"] == "completed"
    assert words(engine.asked[-1].messages) == ["good morning", "good morning", "and good night"]
