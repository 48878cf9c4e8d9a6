"""One client of the Realtime API: a conversation over a WebSocket, in which every answer is interrupted.

The microphone is always on: 40 ms of sound every 40 ms, speech or silence, as stock clients send it. The
server finds where a turn ends. Some time after the first sound of an answer the client speaks again: that
interrupts the answer and is the next question.
"""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import soundfile
from websockets.asyncio.client import ClientConnection

from benchmarks.listener import Heard, Listener
from engine.api import SAMPLE_RATE

PIECE_S = 0.04
_PIECE = int(PIECE_S * SAMPLE_RATE) * 2
_AUDIBLE = 0.01
_PATIENCE_S = 10.0
"""How long the last question may take to be answered."""


@dataclass(frozen=True, slots=True)
class BargeIn:
    """Seconds from the first sound of an interruption to `speech_started`, and to the last sound of the
    answer that it interrupted."""

    noticed: float
    last_delta: float


@dataclass
class Record:
    """What a client heard, and how late its own microphone was: more than a few ms means that this machine is
    short of time for the clients themselves, and other figures are worse than the server's."""

    heard: list[Heard] = field(default_factory=list)
    barge_ins: list[BargeIn] = field(default_factory=list)
    lateness: list[float] = field(default_factory=list)
    failures: int = 0


def read_speech(path: Path) -> list[str]:
    """A mono recording at 24 kHz as events to send, from its first audible sample on.

    Raises:
        ValueError: it has another rate or more channels.
    """
    sound, rate = soundfile.read(path, dtype="float32")
    if rate != SAMPLE_RATE or sound.ndim != 1:
        raise ValueError(f"{path} is not mono at {SAMPLE_RATE} Hz")
    first = np.flatnonzero(np.abs(sound) > _AUDIBLE)[0]
    return list(_events((sound[first:] * 32767).astype("<i2").tobytes()))


def _events(pcm: bytes) -> Iterator[str]:
    for begin in range(0, len(pcm), _PIECE):
        audio = base64.b64encode(pcm[begin : begin + _PIECE].ljust(_PIECE, b"\0")).decode()
        yield orjson.dumps({"type": "input_audio_buffer.append", "audio": audio}).decode()


SILENCE = next(_events(bytes(_PIECE)))


class Caller:
    """A client on an open connection.

    Args:
        speech: events of a question, from `read_speech`.
        listens: seconds from the first sound of an answer to its interruption.
    """

    def __init__(self, socket: ClientConnection, speech: list[str], listens: float) -> None:
        self.record = Record()
        self._socket, self._speech, self._listens = socket, speech, listens
        self._clock = asyncio.get_running_loop()
        self._to_say: deque[str] = deque()
        self._speak_at: float | None = None
        """When it speaks next; None: not before an answer has been heard."""
        self._owed = False
        """It has asked, and heard nothing yet."""
        self._committed = 0.0
        self._answer: Listener | None = None
        self._spoke: float | None = None
        """When it began to interrupt the answer that it hears."""
        self._noticed: float | None = None

    async def talk(self, until: float) -> None:
        """Hold the conversation until a time of the event loop's clock; then nothing new is asked, but the
        last question's first sound is waited for."""
        session = {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}}
        await self._socket.send(orjson.dumps({"type": "session.update", "session": session}).decode())
        self._speak_at = self._clock.time()
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
        due = self._clock.time()
        while due < until or (self._owed and due < until + _PATIENCE_S):
            now = self._clock.time()
            self.record.lateness.append(now - due)
            if self._speak_at is not None and self._speak_at <= now < until:
                self._speak_at, self._owed = None, True
                self._to_say.extend(self._speech)
                if self._answer is not None:
                    self._spoke = now
            await self._socket.send(self._to_say.popleft() if self._to_say else SILENCE)
            due += PIECE_S
            await asyncio.sleep(due - self._clock.time())

    async def _listen(self) -> None:
        async for frame in self._socket:
            self._hear(orjson.loads(frame), self._clock.time())

    def _hear(self, event: dict[str, Any], now: float) -> None:
        match event["type"]:
            case "input_audio_buffer.speech_started":
                self._noticed = now
            case "input_audio_buffer.committed":
                self._committed = now
            case "response.created":
                self._answer, self._spoke, self._noticed = Listener(self._committed), None, None
            case "response.output_audio.delta" if self._answer is not None:
                if not self._answer.hears:
                    self._speak_at, self._owed = now + self._listens, False
                self._answer.hear(now, base64.b64decode(event["delta"]))
            case "response.done":
                self._done(event["response"]["status"])
            case "error":
                self.record.failures += 1

    def _done(self, status: str) -> None:
        answer, spoke, noticed = self._answer, self._spoke, self._noticed
        if status == "failed":
            self.record.failures += 1
        elif answer is not None and status == "cancelled" and spoke is not None and noticed is not None:
            # Where no sound came after it began to speak, there was nothing to wait for.
            self.record.barge_ins.append(BargeIn(noticed - spoke, max(0.0, answer.last - spoke)))
        elif answer is not None and status != "cancelled" and not answer.hears:
            self._speak_at = self._clock.time()
        self._end(whole=True)

    def _end(self, *, whole: bool) -> None:
        """The answer ends here. One that was interrupted is whole: its listener wants no more of it."""
        answer, self._answer = self._answer, None
        if answer is not None:
            self.record.heard.append(answer.over(self._clock.time(), whole=whole))
        if self._owed and not whole and (answer is None or answer.hears):
            # A question that was asked after that answer had begun.
            self.record.heard.append(Heard())
