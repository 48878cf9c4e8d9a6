"""A client's conversation, with a server that plays its part from a script."""

import asyncio
import base64
from pathlib import Path

import numpy as np
import orjson
import pytest
import soundfile

from benchmarks.caller import SILENCE, Caller, read_speech

QUESTION = Path(__file__).parents[1] / "data" / "speech" / "question.wav"


class Scripted:
    """Answers the first question, hears the second as an interruption, and never answers that."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self._events: asyncio.Queue[dict] = asyncio.Queue()

    async def send(self, frame: str) -> None:
        self.sent.append(frame)
        spoken = sum(each == "speech" for each in self.sent)
        if frame == "speech" and spoken == 2:
            for kind in (
                "input_audio_buffer.speech_started",
                "input_audio_buffer.committed",
                "response.created",
            ):
                self._say(kind)
            self._sound()
        elif frame == "speech" and spoken == 3:
            self._sound()
            self._say("input_audio_buffer.speech_started")
            self._say("response.done", response={"status": "cancelled"})

    def _say(self, kind: str, **fields: object) -> None:
        self._events.put_nowait({"type": kind, **fields})

    def _sound(self) -> None:
        self._say("response.output_audio.delta", delta=base64.b64encode(bytes(3840)).decode())

    def __aiter__(self):
        return self

    async def __anext__(self) -> bytes:
        return orjson.dumps(await self._events.get())


def test_an_answer_is_heard_and_interrupted(monkeypatch):
    monkeypatch.setattr("benchmarks.caller._PATIENCE_S", 0.1)

    async def hold() -> tuple[Scripted, Caller]:
        socket = Scripted()
        caller = Caller(socket, ["speech", "speech"], listens=0.1)  # type: ignore[arg-type]
        await caller.talk(asyncio.get_running_loop().time() + 0.4)
        return socket, caller

    socket, caller = asyncio.run(hold())
    record = caller.record
    assert "server_vad" in socket.sent[0]
    assert socket.sent.count("speech") == 4
    assert SILENCE in socket.sent
    # The second question was never answered: it is a session that waited in vain.
    answered, waited = record.heard
    assert answered.wait is not None
    assert len(answered.intervals) == 1
    assert waited.wait is None
    (barge_in,) = record.barge_ins
    assert 0 <= barge_in.last_delta <= barge_in.noticed
    assert len(record.lateness) >= 8
    assert record.failures == 0


def test_speech_begins_with_its_first_audible_sample(tmp_path):
    path = tmp_path / "late.wav"
    sound = np.concatenate((np.zeros(2400), np.full(1000, 0.5)))
    soundfile.write(path, sound, 24_000)
    first, second = (base64.b64decode(orjson.loads(each)["audio"]) for each in read_speech(path))
    assert np.frombuffer(first, "<i2").min() > 16_000
    assert len(first) == len(second) == 1920
    assert second.endswith(bytes(1840))
    assert 60 < len(read_speech(QUESTION)) < 70


def test_a_recording_of_another_rate_is_refused(tmp_path):
    soundfile.write(tmp_path / "slow.wav", np.ones(800), 8_000)
    with pytest.raises(ValueError, match="not mono at 24000 Hz"):
        read_speech(tmp_path / "slow.wav")
