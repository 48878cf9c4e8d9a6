"""One WebRTC call: events by its data channel, sound by its tracks, on a session like any other."""

from __future__ import annotations

import asyncio
import contextlib
import logging

import orjson
from aiortc import RTCConfiguration, RTCDataChannel, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, AudioResampler

from engine import SAMPLE_RATE
from realtime.protocol.errors import ProtocolError
from realtime.server.connection import Connection
from realtime.server.frames import Reader
from realtime.server.services import Services
from realtime.server.transport import GoneError, hand
from realtime.server.webrtc.player import PlayerTrack
from realtime.session.effects import SendAudio
from realtime.session.session import Session

log = logging.getLogger(__name__)

CHANNEL = "oai-events"
_CONNECT_S = 30.0
"""How long a call may take from its answer to its open data channel."""
_FRAME_COST = 64
"""Bytes that a frame takes beside its own: empty ones must not be free."""
_DONE = '{"type":"response.done"'


class Call:
    """A peer connection as a transport and player of a session."""

    def __init__(self, call_id: str, session: Session, services: Services, stun: str | None) -> None:
        self.id = call_id
        self._session = session
        servers = [RTCIceServer(stun)] if stun else []
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=servers))
        self._channel: RTCDataChannel | None = None
        self._open = asyncio.Event()
        self._gone = asyncio.Event()
        self._frames: asyncio.Queue[str | bytes] = asyncio.Queue()
        self._frames_bytes = 0
        self._settings = services.settings
        self._hearing: asyncio.Task[None] | None = None
        self._ended = contextlib.ExitStack()
        transport, self._recording = self._ended.enter_context(services.recorded(self, session))
        self._connection = Connection(transport, session, services, player=self)
        self._track = PlayerTrack(
            lambda response: self._connection.take(session.playback_started(response)),
            lambda response: self._connection.take(session.playback_stopped(response)),
            lambda *where: self._connection.take(session.playback_cleared(*where)),
        )
        self._peer.on("datachannel", self._take_channel)
        self._peer.on("track", self._take_track)
        self._peer.on("connectionstatechange", self._state_changed)

    async def answer(self, offer: str) -> str:
        """The SDP answer to an offer; from here on the call may be connected.

        Raises:
            ProtocolError: `invalid_offer`.
        """
        try:
            await self._peer.setRemoteDescription(RTCSessionDescription(offer, "offer"))
            self._peer.addTrack(self._track)
            await self._peer.setLocalDescription(await self._peer.createAnswer())
        except Exception as error:
            # aiortc raises whatever its parser stumbles over.
            await self._leave()
            message = f"The SDP offer cannot be answered: {error or type(error).__name__}."
            raise ProtocolError("invalid_offer", message, "sdp") from None
        return str(self._peer.localDescription.sdp)

    async def run(self) -> None:
        """Serve the call until either side ends it, or nobody connects."""
        waiting = asyncio.create_task(self._expire())
        try:
            await self._connection.run()
        finally:
            waiting.cancel()
            if self._hearing:
                self._hearing.cancel()
            await self._leave()

    async def _leave(self) -> None:
        self._track.stop()
        self._ended.close()
        # They would hold one another for ever, and the session with them.
        del self._connection
        await self._peer.close()

    def hang_up(self) -> None:
        """End the call."""
        self._gone.set()

    # As a transport.

    async def read(self, reader: Reader) -> None:
        while (frame := await self._next()) is not None:
            self._frames_bytes -= len(frame) + _FRAME_COST
            await hand(frame, reader)

    async def _next(self) -> str | bytes | None:
        """The next frame; None where there are no more."""
        frame = asyncio.ensure_future(self._frames.get())
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait({frame, gone}, return_when=asyncio.FIRST_COMPLETED)
            return frame.result() if frame.done() else None
        finally:
            frame.cancel()
            gone.cancel()

    async def send(self, frame: str) -> None:
        await self._open.wait()
        if self._channel is None or self._channel.readyState != "open":
            raise GoneError
        if self._channel.bufferedAmount > self._settings.max_unsent_bytes:
            log.info("call %s is ended: its client is slow to read", self.id)
            raise GoneError
        self._channel.send(frame)
        if frame.startswith(_DONE):
            self._track.end(orjson.loads(frame)["response"]["id"])

    async def close(self, code: int, reason: str) -> None:
        self._gone.set()

    # As a player.

    def play(self, effect: SendAudio) -> None:
        self._track.play(effect)

    def clear(self) -> None:
        self._track.clear()

    # What the peer does.

    def _take_channel(self, channel: RTCDataChannel) -> None:
        if channel.label != CHANNEL:
            return
        self._channel = channel
        channel.on("message", self._take_frame)
        channel.on("close", self._gone.set)
        self._open.set()

    def _take_frame(self, frame: str | bytes) -> None:
        self._frames_bytes += len(frame) + _FRAME_COST
        if self._frames_bytes > self._settings.max_frame_bytes:
            # A data channel cannot be made to wait.
            log.info("call %s is ended: it sends faster than it can be answered", self.id)
            self._gone.set()
        else:
            self._frames.put_nowait(frame)

    def _take_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio" and self._hearing is None:
            self._hearing = asyncio.create_task(self._hear(track))

    def _state_changed(self) -> None:
        if self._peer.connectionState in ("failed", "closed"):
            self._gone.set()

    async def _hear(self, track: MediaStreamTrack) -> None:
        resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        with contextlib.suppress(MediaStreamError):
            while True:
                heard = await track.recv()
                assert isinstance(heard, AudioFrame)
                for frame in resampler.resample(heard):
                    pcm = bytes(frame.planes[0])[: 2 * frame.samples]
                    if self._recording:
                        self._recording.heard(pcm)
                    self._connection.take(self._session.append_sound(pcm))

    async def _expire(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._open.wait(), _CONNECT_S)
            return
        log.info("call %s was never connected", self.id)
        self._open.set()
        self._gone.set()
