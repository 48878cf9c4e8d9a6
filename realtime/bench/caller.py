"""One client of the Realtime API: a conversation over a WebSocket, spoken at real-time pace.

The microphone is always on: a piece of sound as often as it lasts, speech or silence, as stock clients send
it. The server finds where a turn ends, or, `manual`, the client says so. When to speak is a plan's to say: to
speak while an answer is heard is to interrupt it.
"""

from __future__ import annotations

import asyncio
import base64
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson
from websockets.asyncio.client import ClientConnection

from realtime.audio.recording import RATE, RecordingError, read_recording
from realtime.bench.listener import Heard, Listener
from realtime.bench.plans import Plan

_AUDIBLE = 0.01
_PATIENCE_S = 10.0
"""How long the last question may take to be answered."""
_LEAVING_S = 1.0
"""Before the end there is no probe: all leave at once then, and the server has that to do too."""
_COMMIT = '{"type":"input_audio_buffer.commit"}'
_PROBE = '{"type":"conversation.item.retrieve","event_id":"probe","item_id":"item_that_is_not_there"}'
"""What any server answers at once, with an error that names `probe`: behind the sound that was sent before
it, as every event of this session."""
_CANCEL = '{"type":"response.cancel"}'
_RESPOND = '{"type":"response.create"}'


@dataclass(frozen=True, slots=True)
class BargeIn:
    """Seconds from the first sound of an interruption to `speech_started` (None: a client that commits by
    hand interrupts by hand too), and to the last sound of the answer that it interrupted."""

    noticed: float | None
    last_delta: float


class Record(Protocol):
    """Who is told what a client meets."""

    def heard(self, heard: Heard) -> None:
        """An answer is over, or a question was never answered."""

    def barge_in(self, barge_in: BargeIn) -> None:
        """An answer was interrupted before all of it had come."""

    def late(self, seconds: float) -> None:
        """So late the client's own microphone was for a piece: more than a few ms means that this machine is
        short of time for the clients themselves, and other figures are worse than the server's."""

    def asked(self) -> None:
        """A question begins."""

    def probed(self, seconds: float) -> None:
        """So long an event took there and back."""

    def failed(self, code: str) -> None:
        """The server said that something went wrong."""


@dataclass
class Notes:
    """A record that keeps all of it. `failures` are the codes."""

    answers: list[Heard] = field(default_factory=list)
    barge_ins: list[BargeIn] = field(default_factory=list)
    lateness: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    questions: int = 0
    round_trips: list[float] = field(default_factory=list)

    def heard(self, heard: Heard) -> None:
        self.answers.append(heard)

    def barge_in(self, barge_in: BargeIn) -> None:
        self.barge_ins.append(barge_in)

    def late(self, seconds: float) -> None:
        self.lateness.append(seconds)

    def asked(self) -> None:
        self.questions += 1

    def probed(self, seconds: float) -> None:
        self.round_trips.append(seconds)

    def failed(self, code: str) -> None:
        self.failures.append(code)


@dataclass(frozen=True, slots=True)
class Speech:
    """A recording as events to send, each with `piece_s` seconds of it, and such a piece of silence."""

    pieces: tuple[str, ...]
    silence: str
    piece_s: float

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.pieces) * self.piece_s


def read_speech(path: Path, piece_s: float = 0.04) -> Speech:
    """A recording from its first audible sample to its last.

    Raises:
        RecordingError: it cannot be read, or nothing is to be heard in it.
    """
    pcm = read_recording(path)
    audible = np.flatnonzero(np.abs(np.frombuffer(pcm, "<i2")) > _AUDIBLE * 32768)
    if not len(audible):
        raise RecordingError(f"{path}: nothing is to be heard in it")
    pcm = pcm[2 * audible[0] : 2 * audible[-1] + 2]
    size = 2 * round(piece_s * RATE)
    return Speech(tuple(_events(pcm, size)), next(_events(bytes(size), size)), piece_s)


def _events(pcm: bytes, size: int) -> Iterator[str]:
    for begin in range(0, len(pcm), size):
        audio = base64.b64encode(pcm[begin : begin + size].ljust(size, b"\0")).decode()
        yield orjson.dumps({"type": "input_audio_buffer.append", "audio": audio}).decode()


class Caller:
    """A client on an open connection.

    Args:
        speech: a question.
        plan: when it is asked.
        manual: the client commits its turns and asks for the answers; no turn detection.
        settings: more of the session, such as instructions.
        probe_s: an event is sent there and back every so many seconds; 0: none is.
        send_sound: sends a piece of sound; by itself as every other event is sent.
    """

    def __init__(
        self,
        socket: ClientConnection,
        speech: Speech,
        plan: Plan,
        record: Record,
        *,
        manual: bool = False,
        settings: dict[str, Any] | None = None,
        probe_s: float = 0.0,
        send_sound: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._send_sound = send_sound or socket.send
        self._socket, self._speech, self._plan, self._record = socket, speech, plan, record
        self._manual, self._settings = manual, settings or {}
        self._to_say: deque[str] = deque()
        self._owed = False
        """It has asked, and heard nothing yet."""
        self._committed = 0.0
        self._speech_end: float | None = None
        """When the last piece of the question was due; None while it is asked."""
        self._answer: Listener | None = None
        self._spoke: float | None = None
        """When it began to interrupt the answer that it hears."""
        self._noticed: float | None = None
        self._probe_s = probe_s
        self._probe_at = time.monotonic() + probe_s if probe_s else math.inf
        self._probed: float | None = None
        """When the probe was sent that is under way."""

    async def talk(self, until: float) -> None:
        """Hold the conversation until a time of `time.monotonic`; then nothing new is asked, but the last
        question's first sound is waited for."""
        turns = None if self._manual else {"type": "server_vad"}
        audio = {**self._settings.get("audio", {}), "input": {"turn_detection": turns}}
        session = {"type": "realtime", **self._settings, "audio": audio}
        await self._socket.send(orjson.dumps({"type": "session.update", "session": session}).decode())
        listening = asyncio.create_task(self._listen())
        try:
            await self._microphone(until)
        finally:
            listening.cancel()
            await asyncio.wait([listening])
        if not listening.cancelled() and (error := listening.exception()):
            raise error
        self._end(whole=False)

    async def _microphone(self, until: float) -> None:
        due = time.monotonic()
        while due < until or (self._owed and due < until + _PATIENCE_S):
            now = time.monotonic()
            # uvloop keeps time in whole milliseconds and may be half of one early.
            self._record.late(max(0.0, now - due))
            if not self._to_say and now < until and self._plan.due(now):
                await self._ask(now)
            await self._send_sound(self._to_say.popleft() if self._to_say else self._speech.silence)
            if self._owed and not self._to_say and self._speech_end is None:
                # As planned, not as it was: a server that holds up its clients is not let off.
                self._speech_end = due
                if self._manual:
                    await self._socket.send(_COMMIT)
                    await self._socket.send(_RESPOND)
            if self._probed is None and self._probe_at <= now < until - _LEAVING_S:
                self._probed = time.monotonic()
                self._probe_at += self._probe_s
                await self._socket.send(_PROBE)
            due += self._speech.piece_s
            await asyncio.sleep(due - time.monotonic())

    async def _ask(self, now: float) -> None:
        if self._owed:
            self._record.heard(Heard())
        self._owed, self._speech_end = True, None
        self._record.asked()
        self._to_say.extend(self._speech.pieces)
        if self._answer is not None:
            self._spoke = now
            if self._manual:
                await self._socket.send(_CANCEL)

    async def _listen(self) -> None:
        async for frame in self._socket:
            self._hear(orjson.loads(frame), time.monotonic())

    def _hear(self, event: dict[str, Any], now: float) -> None:
        match event["type"]:
            case "input_audio_buffer.speech_started":
                self._noticed = now
            case "input_audio_buffer.committed":
                self._committed = now
            case "response.created":
                self._answer = Listener(self._committed, self._speech_end)
                self._spoke = self._noticed = None
            case "response.output_audio.delta" if self._answer is not None:
                if not self._answer.hears:
                    self._plan.first_sound(now)
                    self._owed = self._owed and bool(self._to_say)
                self._answer.hear(now, base64.b64decode(event["delta"]))
            case "response.done":
                self._done(event["response"])
            case "error" if event["error"].get("event_id") == "probe" and self._probed is not None:
                self._record.probed(now - self._probed)
                self._probed = None
            case "error":
                self._record.failed(event["error"].get("code") or event["error"]["type"])

    def _done(self, response: dict[str, Any]) -> None:
        answer, spoke, noticed = self._answer, self._spoke, self._noticed
        status = response["status"]
        if status == "failed":
            error = (response.get("status_details") or {}).get("error") or {}
            self._record.failed(error.get("code") or "response_failed")
        elif answer is not None and status == "cancelled" and spoke is not None:
            if noticed is not None or self._manual:
                took = None if noticed is None else noticed - spoke
                # Where no sound came after it began to speak, there was nothing to wait for.
                self._record.barge_in(BargeIn(took, max(0.0, answer.last - spoke)))
        elif answer is not None and status != "cancelled" and not answer.hears:
            self._plan.unheard(time.monotonic())
        self._end(whole=True)

    def _end(self, *, whole: bool) -> None:
        """The answer ends here. One that was interrupted is whole: its listener wants no more of it."""
        answer, self._answer = self._answer, None
        if answer is not None:
            self._record.heard(answer.over(time.monotonic(), whole=whole))
        if self._owed and not whole and (answer is None or answer.hears):
            # A question that was asked after that answer had begun.
            self._record.heard(Heard())
