"""A real peer connection over the loopback: events by the data channel, sound by the tracks."""

import asyncio
import contextlib
import fractions
import json
import sys
import time

import httpx
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack
from av import AudioFrame, AudioResampler
from caller import SERVER_EVENT, recording
from serving import app

from engine import EngineSettings
from engine.echo import EchoEngine
from realtime.audio.vad import VadWorker


class Microphone(MediaStreamTrack):
    """Silence, until something is said."""

    kind = "audio"

    def __init__(self):
        super().__init__()
        self.waiting = bytearray()
        self._at, self._begun = 0, None

    async def recv(self):
        self._begun = self._begun or time.monotonic()
        await asyncio.sleep(max(0, self._begun + self._at / 24_000 - time.monotonic()))
        frame = AudioFrame(format="s16", layout="mono", samples=480)
        frame.planes[0].update(bytes(self.waiting[:960]).ljust(960, b"\0"))
        del self.waiting[:960]
        frame.pts, frame.sample_rate, frame.time_base = self._at, 24_000, fractions.Fraction(1, 24_000)
        self._at += 480
        return frame


class Phone:
    def __init__(self):
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.microphone = Microphone()
        self.peer.addTrack(self.microphone)
        self.channel = self.peer.createDataChannel("oai-events")
        self.events = asyncio.Queue()
        self.loudest = []
        self.channel.on("message", lambda frame: self.events.put_nowait(SERVER_EVENT.validate_json(frame)))
        self.peer.on("track", self._listen)

    def _listen(self, track):
        self._listening = asyncio.create_task(self._hear(track))

    async def _hear(self, track):
        resampler = AudioResampler(format="s16", layout="mono", rate=24_000)
        with contextlib.suppress(Exception):
            while True:
                for frame in resampler.resample(await track.recv()):
                    self.loudest.append(int(np.abs(frame.to_ndarray().astype(int)).max()))

    async def until(self, kind):
        events = []
        while not events or events[-1].type != kind:
            events.append(await asyncio.wait_for(self.events.get(), 20))
            assert events[-1].type != "error", events[-1]
        return events

    def send(self, kind, **fields):
        self.channel.send(json.dumps({"type": kind, **fields}))


@contextlib.asynccontextmanager
async def dial(url, session=None):
    phone = Phone()
    await phone.peer.setLocalDescription(await phone.peer.createOffer())
    sdp = phone.peer.localDescription.sdp
    async with httpx.AsyncClient(base_url=url.replace("ws", "http", 1)) as http:
        if session is None:
            response = await http.post(
                "/v1/realtime/calls?model=m", content=sdp, headers={"Content-Type": "application/sdp"}
            )
        else:
            files = {
                "sdp": (None, sdp, "application/sdp"),
                "session": (None, json.dumps(session), "application/json"),
            }
            response = await http.post("/v1/realtime/calls", files=files)
        assert response.status_code == 201, response.text
        await phone.peer.setRemoteDescription(RTCSessionDescription(response.text, "answer"))
        phone.location, phone.http = response.headers["location"], http
        try:
            yield phone
        finally:
            await phone.peer.close()


VAD = {"type": "server_vad", "silence_duration_ms": 300}
SESSION = {"type": "realtime", "audio": {"input": {"turn_detection": VAD}}}


def test_a_spoken_turn_is_answered_on_the_track(echo):
    async def main():
        async with dial(echo, SESSION) as phone:
            created = (await phone.until("session.created"))[-1].session
            assert created.audio.input.turn_detection.silence_duration_ms == 300
            phone.microphone.waiting += recording("question")
            await phone.until("input_audio_buffer.speech_started")
            done = (await phone.until("response.done"))[-1].response
            assert done.status == "completed"
            await phone.until("output_audio_buffer.stopped")
            assert max(phone.loudest) > 3_000, "it was heard"
            assert not any(event.type.endswith("audio.delta") for event in phone.events._queue)

    asyncio.run(main())


def test_speech_stops_what_is_played_and_truncates_what_was_not_heard(echo):
    async def main():
        async with dial(echo, SESSION) as phone:
            await phone.until("session.created")
            phone.microphone.waiting += recording("long")
            await phone.until("output_audio_buffer.started")
            phone.microphone.waiting += recording("question")
            await phone.until("input_audio_buffer.speech_started")
            truncated = (await phone.until("conversation.item.truncated"))[-1]
            assert 0 < truncated.audio_end_ms < 5_000
            await phone.until("output_audio_buffer.cleared")
            assert (await phone.until("response.done"))[-1].response.status == "completed"

    asyncio.run(main())


def test_words_by_the_data_channel_and_a_hang_up(echo):
    async def main():
        async with dial(echo) as phone:
            await phone.until("session.created")
            item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
            phone.send("conversation.item.create", item=item)
            phone.send("response.create")
            events = await phone.until("output_audio_buffer.stopped")
            kinds = [event.type for event in events]
            assert kinds.index("output_audio_buffer.started") < kinds.index("output_audio_buffer.stopped")
            assert (await phone.http.post(f"{phone.location}/hangup")).status_code == 200
            closed = asyncio.Event()
            phone.channel.on("close", closed.set)
            if phone.channel.readyState != "closed":
                await asyncio.wait_for(closed.wait(), 20)
            assert (await phone.http.post("/v1/realtime/calls/rtc_x/hangup")).status_code == 404

    asyncio.run(main())


@pytest.mark.parametrize(
    ("content", "code", "status"), [("no sdp", "invalid_offer", 400), ("", "invalid_offer", 400)]
)
def test_an_offer_that_cannot_be_answered(echo, content, code, status):
    url = f"{echo.replace('ws', 'http', 1)}/v1/realtime/calls"
    response = httpx.post(url, content=content, headers={"Content-Type": "application/sdp"})
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    form = httpx.post(url, files={"sdp": (None, "v=0"), "session": (None, "{")})
    assert form.json()["error"]["param"] == "session"
    assert httpx.post(f"{url}/x/accept").json()["error"]["code"] == "unsupported_value"
    assert httpx.get(f"{echo.replace('ws', 'http', 1)}/ready").json()["sessions"] == 0


def test_a_refused_offer_leaves_nobody_listening(monkeypatch):
    workers = set()
    model = VadWorker.__init__
    monkeypatch.setattr(VadWorker, "__init__", lambda self, *given: workers.add(self) or model(self, *given))
    with app(EchoEngine(EngineSettings(model="echo"))) as url:
        refused = httpx.post(f"{url.replace('ws', 'http', 1)}/v1/realtime/calls", content="no sdp")
        assert refused.status_code == 400
        (worker,) = workers
        assert not worker._streams


def test_messages_that_are_empty_are_too_many_all_the_same():
    async def main():
        async with dial(url) as phone:
            await phone.until("session.created")
            closed = asyncio.Event()
            phone.channel.on("close", closed.set)
            for _ in range(100):
                phone.channel.send("")
            await asyncio.wait_for(closed.wait(), 20)

    # So slow that they wait.
    with app(EchoEngine(EngineSettings(model="echo")), max_frame_bytes=1000, max_events_per_s=1) as url:
        asyncio.run(main())


def test_without_aiortc_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "realtime.server.webrtc.call", None)
    with app(EchoEngine(EngineSettings(model="echo"))) as url:
        response = httpx.post(f"{url.replace('ws', 'http', 1)}/v1/realtime/calls", content="v=0")
    assert (response.status_code, response.json()["error"]["code"]) == (501, "not_installed")
