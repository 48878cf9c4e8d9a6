"""The WebSocket itself: bad frames, refusals, readers that are too slow, clients that vanish."""

import asyncio
import base64
import json
import threading

import pytest
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from serving import SPEECH, app
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from engine import AudioDelta, Engine, EngineSettings, Finished, Usage, Voice
from engine.echo import EchoEngine

EVENT = TypeAdapter(RealtimeServerEvent)


def receive(socket, timeout=20):
    event = json.loads(socket.recv(timeout))
    EVENT.validate_python(event)
    return event


def until(socket, kind):
    events = [receive(socket)]
    while events[-1]["type"] != kind:
        events.append(receive(socket))
    return events


def send(socket, kind, **fields):
    socket.send(json.dumps({"type": kind, **fields}))


def say(socket, text="Hi"):
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    send(socket, "conversation.item.create", item=item)
    send(socket, "response.create")


@pytest.mark.parametrize("path", ["/v1/realtime?model=gpt-realtime", "/realtime", "/v1/realtime?model=a&x=b"])
def test_a_turn_on_every_path_that_clients_use(echo, path):
    with connect(echo + path) as socket:
        assert receive(socket)["type"] == "session.created"
        say(socket, "good morning")
        done = until(socket, "response.done")[-1]["response"]
        assert done["status"] == "completed"
        assert "good morning" in done["output"][0]["content"][0]["transcript"]


def test_a_session_survives_every_bad_frame(echo):
    with connect(echo + "/v1/realtime") as socket:
        receive(socket)
        bad = ["{", "[]", b"\0\1binary", '{"type":"nonsense"}', '{"type":"response.cancel"}']
        bad += ['{"type":"input_audio_buffer.append","audio":"???"}', '{"type":"session.update"}']
        codes = []
        for frame in bad:
            socket.send(frame)
            codes.append(receive(socket)["error"]["code"])
        assert codes == [
            "invalid_json",
            "invalid_event",
            "invalid_event",
            "invalid_value",
            "response_cancel_not_active",
            "invalid_value",
            "missing_required_parameter",
        ]
        say(socket)
        assert until(socket, "response.done")[-1]["response"]["status"] == "completed"


def test_the_realtime_subprotocol_is_chosen_and_no_key_is(echo):
    offered = ["realtime", "openai-insecure-api-key.sk-secret"]
    with connect(echo + "/v1/realtime", subprotocols=offered) as socket:
        assert socket.subprotocol == "realtime"
    with connect(echo + "/v1/realtime") as socket:
        assert socket.subprotocol is None
        assert not socket.protocol.extensions, "no compression"


def test_a_transcription_session(echo):
    with connect(echo + "/v1/realtime?intent=transcription") as socket:
        assert receive(socket)["session"]["type"] == "transcription"
        patch = {"audio": {"input": {"transcription": {"model": "whisper-1"}, "turn_detection": None}}}
        send(socket, "session.update", session={"type": "transcription", **patch})
        receive(socket)
        send(socket, "input_audio_buffer.append", audio=base64.b64encode(bytes(48_000)).decode())
        send(socket, "input_audio_buffer.commit")
        done = until(socket, "conversation.item.input_audio_transcription.completed")[-1]
        assert done["transcript"] == "You said 1.0 seconds of sound."
        assert done["usage"]["input_token_details"]["audio_tokens"] == 25


def test_one_session_too_many_is_told_to_come_again_later():
    with app(EchoEngine(EngineSettings(model="echo")), max_sessions=1) as url:
        with connect(url + "/v1/realtime") as first:
            receive(first)
            with connect(url + "/v1/realtime") as second:
                assert receive(second)["error"]["code"] == "session_limit_reached"
                with pytest.raises(ConnectionClosed) as closed:
                    second.recv(10)
            assert closed.value.rcvd.code == 1013
            say(first)
            assert until(first, "response.done")
        for _ in range(100):  # The place is free once the server has seen the first one go.
            with connect(url + "/v1/realtime") as third:
                if receive(third)["type"] == "session.created":
                    return
        raise AssertionError("the place was never free again")


def test_turns_of_a_recording_are_found_and_answered(echo):
    with connect(echo + "/v1/realtime") as socket:
        receive(socket)
        pcm = (SPEECH / "two_turns.wav").read_bytes()[44:] + bytes(48_000)
        send(socket, "input_audio_buffer.append", audio=base64.b64encode(pcm).decode())
        events = until(socket, "response.done")
        while [event["type"] for event in events].count("input_audio_buffer.committed") < 2:
            events += [receive(socket)]
        while [event["type"] for event in events].count("response.done") < 2:
            events += [receive(socket)]
    started = [event["audio_start_ms"] for event in events if event["type"].endswith("speech_started")]
    stopped = [event["audio_end_ms"] for event in events if event["type"].endswith("speech_stopped")]
    assert len(started) == len(stopped) == 2
    assert started[0] < stopped[0] <= started[1] < stopped[1]


class EndlessEngine(Engine):
    """Speaks for ever, until it is cancelled; says which answers were."""

    def __init__(self, seconds_a_delta: float = 0.08, pause: float = 0.0) -> None:
        self.model = "endless"
        self.cancelled = threading.Event()
        self._pcm = bytes(int(24_000 * seconds_a_delta) * 2)
        self._pause = pause
        self._running: set[str] = set()

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def forget(self, audio_ids) -> None: ...

    async def voices(self):
        return [Voice("endless", "", 3.0)]

    async def cancel(self, request_id):
        self._running.discard(request_id)
        self.cancelled.set()

    async def respond(self, request):
        self._running.add(request.id)
        for _ in range(10_000):
            if request.max_tokens is not None:
                yield AudioDelta(self._pcm)
                break
            await asyncio.sleep(self._pause)
            if request.id not in self._running:
                yield Finished("cancelled", Usage())
                return
            yield AudioDelta(self._pcm)
        yield Finished("completed", Usage())


def test_a_client_that_vanishes_takes_its_answer_along():
    engine = EndlessEngine(pause=0.005)
    with app(engine) as url:
        with connect(url + "/v1/realtime") as socket:
            receive(socket)
            send(socket, "response.create")
            until(socket, "response.output_audio.delta")
            socket.socket.close()
        assert engine.cancelled.wait(10)


def test_a_reader_that_is_too_slow_is_closed_by_name_and_its_answer_stopped():
    engine = EndlessEngine(seconds_a_delta=2.0)
    with app(engine, max_unsent_bytes=2_000_000) as url:
        with connect(url + "/v1/realtime", max_queue=1) as socket:
            receive(socket)
            send(socket, "response.create")
            assert engine.cancelled.wait(20), "the server stopped making what nobody reads"
            with pytest.raises(ConnectionClosed) as closed:
                until(socket, "nothing that ever comes")
        assert closed.value.rcvd.code == 1008
        assert closed.value.rcvd.reason.startswith("client_too_slow")


class BrokenEngine(EndlessEngine):
    """Raises in the middle of an answer, which no engine should."""

    async def respond(self, request):
        yield AudioDelta(self._pcm)
        if request.max_tokens is None:
            raise RuntimeError("a bug")
        yield Finished("completed", Usage())


def test_an_engine_that_raises_fails_the_response_and_not_the_session():
    with app(BrokenEngine()) as url, connect(url + "/v1/realtime") as socket:
        receive(socket)
        for _ in range(2):
            send(socket, "response.create")
            done = until(socket, "response.done")[-1]["response"]
            assert done["status"] == "failed"
            assert done["status_details"]["error"]["code"] == "engine_error"


def test_a_session_that_has_lasted_its_time_is_closed():
    with (
        app(EchoEngine(EngineSettings(model="echo")), max_session_s=1, tick_s=0.05) as url,
        connect(url + "/v1/realtime") as socket,
    ):
        receive(socket)
        assert receive(socket)["error"]["code"] == "session_expired"
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(10)
    assert closed.value.rcvd.code == 1001
