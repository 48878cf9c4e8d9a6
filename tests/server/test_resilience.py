"""Whatever breaks around a session: the client is told, and everybody else goes on."""

import asyncio
import base64
import json
import socket
import threading

import pytest
from caller import SILENCE, connect, recording
from serving import app
from test_http import get
from test_socket import EndlessEngine, receive, say, send, until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as raw_connect

from engine import AudioDelta, EngineError, EngineSettings, Finished
from engine.echo import EchoEngine
from realtime.audio.silero import Silero
from realtime.server.serving import Serving
from realtime.server.settings import ServerSettings
from realtime.session.session import Session


def test_a_detector_that_breaks_is_told_and_the_session_goes_on(echo, monkeypatch):
    def breaks(*_):
        raise RuntimeError("out of order")

    monkeypatch.setattr(Silero, "hear", breaks)

    async def talk():
        async with connect(echo) as caller:
            await caller.append(recording("question") + SILENCE)
            error = (await caller.next()).error
            assert (error.type, error.code) == ("server_error", "turn_detection_failed")
            assert "out of order" in error.message
            # Told once, whatever else is appended; and turns can still be made by hand.
            await caller.append(recording("question"))
            await caller.do.input_audio_buffer.commit()
            await caller.until("input_audio_buffer.committed")
            await caller.do.response.create()
            assert (await caller.until("response.done"))[-1].response.status == "completed"

    asyncio.run(talk())


def test_sound_far_ahead_of_the_detector_makes_the_client_wait(monkeypatch):
    """Nothing is lost by it: what was sent while the detector stood still is heard afterwards."""
    go_on, hear = threading.Event(), Silero.hear

    def waits(*arguments):
        assert go_on.wait(20)
        return hear(*arguments)

    monkeypatch.setattr(Silero, "hear", waits)
    with app(EchoEngine(EngineSettings(model="echo")), max_unheard_s=5.0) as url:

        async def talk():
            async with connect(url) as caller:
                await caller.append(bytes(48_000 * 20), size=48_000 * 20)
                await caller.append(recording("question") + SILENCE)
                async with asyncio.timeout(20):
                    while json.loads((await asyncio.to_thread(get, url, "/ready"))[1])["unheard_s"] < 15:
                        pass
                # Nothing more is read: not the question, and not this, which would be answered at once.
                await caller.do.send({"type": "nonsense"})
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.3):
                        await caller.next()
                go_on.set()
                awaited = {"error", "input_audio_buffer.speech_started"}
                while awaited:
                    awaited.discard((await caller.next()).type)

        try:
            asyncio.run(talk())
        finally:
            go_on.set()


class DownEngine(EchoEngine):
    """Served once; its process has died since."""

    async def voices(self):
        raise EngineError("engine_restarting", "the engine's process is being started again")


def test_a_session_is_refused_for_now_while_the_engine_is_down():
    with (
        app(DownEngine(EngineSettings(model="echo"))) as url,
        raw_connect(url + "/v1/realtime") as client,
    ):
        error = receive(client)["error"]
        assert (error["type"], error["code"]) == ("server_error", "engine_not_ready")
        assert "started again" in error["message"]
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(10)
    assert closed.value.rcvd.code == 1013


def test_a_bug_in_the_session_closes_it_by_its_code(echo, monkeypatch):
    def breaks(self, frame):
        raise RuntimeError("a bug")

    with raw_connect(echo + "/v1/realtime") as client:
        receive(client)
        monkeypatch.setattr(Session, "receive", breaks)
        send(client, "response.create")
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(10)
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1011, "server_error.internal_error")
    monkeypatch.undo()
    assert json.loads(get(echo, "/ready")[1])["status"] == "ready"


def test_a_frame_that_is_too_big_ends_the_session_that_sent_it(echo):
    with raw_connect(echo + "/v1/realtime") as client, raw_connect(echo + "/v1/realtime") as other:
        receive(client)
        receive(other)
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012
            client.send([" " * 1024 * 1024] * 25)
            client.recv(10)
        # uvicorn does not read what is still on its way, so the network may be quicker than the reason.
        assert closed.value.rcvd is None or closed.value.rcvd.code == 1009
        say(other)
        assert until(other, "response.done")[-1]["response"]["status"] == "completed"


def test_the_largest_append_is_taken(echo):
    with raw_connect(echo + "/v1/realtime") as client:
        receive(client)
        turns = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
        send(client, "session.update", session=turns)
        assert receive(client)["type"] == "session.updated"
        send(client, "input_audio_buffer.append", audio=base64.b64encode(bytes(15 * 1024 * 1024)).decode())
        send(client, "input_audio_buffer.clear")
        assert receive(client)["type"] == "input_audio_buffer.cleared"


class HungEngine(EndlessEngine):
    """Does not end an answer, whoever asks."""

    def __init__(self) -> None:
        super().__init__()
        self.left = threading.Event()

    async def respond(self, request):
        yield AudioDelta(self._pcm)
        if request.max_tokens is None:
            try:
                await asyncio.Event().wait()
            finally:
                self.left.set()
        yield Finished("completed")


def test_an_answer_that_hangs_does_not_keep_its_session(monkeypatch):
    monkeypatch.setattr("realtime.server.connection._CLOSE_GRACE_S", 0.1)
    engine = HungEngine()
    with app(engine) as url:
        with raw_connect(url + "/v1/realtime") as client:
            receive(client)
            send(client, "response.create")
            until(client, "response.output_audio.delta")
        assert engine.left.wait(10)


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system has no such option")
def test_a_client_that_takes_nothing_more_loses_its_place():
    """It neither reads nor goes away: no close can reach it, so the network's own time-out ends it."""
    engine = EndlessEngine(seconds_a_delta=2.0, pause=0.001)
    serving = Serving(engine, ServerSettings(port=0, stalled_s=1.0, max_unsent_bytes=10**12))
    thread = threading.Thread(target=serving.run)
    thread.start()
    try:
        while get(serving.address, "/ready")[0] != 200:
            assert thread.is_alive()
        with raw_connect(serving.address + "/v1/realtime", max_queue=1, close_timeout=0.1) as client:
            receive(client)
            say(client)
            assert engine.cancelled.wait(20)
    finally:
        serving.stop()
        thread.join(20)
    assert not thread.is_alive()
