"""A client's conversation, with a server that plays its part from a script."""

import asyncio
import base64
from pathlib import Path

import numpy as np
import orjson
import pytest
import soundfile

from realtime.audio.recording import RecordingError
from realtime.bench.caller import Caller, Notes, Speech, read_speech
from realtime.bench.plans import Dialogue, Timetable

QUESTION_OF_TWO = Speech(("speech", "speech"), "silence", 0.04)
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
    monkeypatch.setattr("realtime.bench.caller._PATIENCE_S", 0.1)

    async def hold() -> tuple[Scripted, Notes]:
        socket, notes = Scripted(), Notes()
        caller = Caller(socket, QUESTION_OF_TWO, Dialogue(0.1), notes)  # type: ignore[arg-type]
        await caller.talk(asyncio.get_running_loop().time() + 0.4)
        return socket, notes

    socket, record = asyncio.run(hold())
    assert "server_vad" in socket.sent[0]
    assert socket.sent.count("speech") == 4
    assert "silence" in socket.sent
    # The second question was never answered: it is a session that waited in vain.
    answered, waited = record.answers
    assert answered.wait is not None
    assert len(answered.intervals) == 1
    assert waited.wait is None
    (barge_in,) = record.barge_ins
    assert 0 <= barge_in.last_delta <= barge_in.noticed
    assert len(record.lateness) >= 8
    assert record.failures == []
    assert record.questions == 2


def test_speech_begins_with_its_first_audible_sample(tmp_path):
    path = tmp_path / "late.wav"
    sound = np.concatenate((np.zeros(2400), np.full(1000, 0.5), np.zeros(4800)))
    soundfile.write(path, sound, 24_000)
    first, second = (base64.b64decode(orjson.loads(each)["audio"]) for each in read_speech(path).pieces)
    assert np.frombuffer(first, "<i2").min() > 16_000
    assert len(first) == len(second) == 1920
    assert second.endswith(bytes(1840))
    assert 55 < len(read_speech(QUESTION).pieces) < 70


def test_a_recording_in_which_nothing_is_heard_is_refused(tmp_path):
    soundfile.write(tmp_path / "still.wav", np.zeros(800), 8_000)
    with pytest.raises(RecordingError, match=r"still\.wav: nothing is to be heard"):
        read_speech(tmp_path / "still.wav")
    with pytest.raises(RecordingError, match=r"none\.wav"):
        read_speech(tmp_path / "none.wav")


def test_a_timetable_asks_whether_or_not_it_is_answered():
    plan = Timetable(10.0, 5.0)
    asked = [now for now in range(9, 27) if plan.due(float(now))]
    assert asked == [10, 15, 20, 25]


def test_a_timetable_leaves_out_what_it_cannot_keep():
    plan = Timetable(0.0, 2.0)
    assert plan.due(5.0), "late, but not three times over"
    assert not plan.due(5.5)
    assert plan.due(6.0)


def test_each_second_answer_is_interrupted_between_two_questions():
    plan = Timetable(0.0, 10.0, interrupts=2, after=1.0)
    assert plan.due(0.0)
    plan.first_sound(3.0)
    assert not plan.due(4.5)
    assert plan.due(10.0)
    plan.first_sound(13.0)
    assert not plan.due(13.9)
    assert plan.due(14.0)
    assert not plan.due(20.0), "the interruption was that question"
    assert plan.due(30.0)
