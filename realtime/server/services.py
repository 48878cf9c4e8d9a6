"""What all connections share."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field

from engine import Audio, Engine, EngineError
from realtime.audio.turn_model import TurnModel
from realtime.audio.vad import VadWorker
from realtime.protocol.ids import random_id
from realtime.server.draining import Draining
from realtime.server.observe.observers import Observers
from realtime.server.observe.recording import RecordedTransport, Recording
from realtime.server.settings import ServerSettings
from realtime.server.transport import Transport
from realtime.session.session import Session

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """The engine, the model beside it that only transcribes, the ear, the settings, who watches, and who
    judges pauses: a model of its own in a thread of its own, or else the engine."""

    engine: Engine
    vad: VadWorker
    settings: ServerSettings
    observers: Observers
    transcriber: Engine | None = None
    turn_model: TurnModel | None = None
    judging: Executor | None = None
    draining: Draining = field(default_factory=Draining)

    @contextlib.contextmanager
    def recorded(
        self, transport: Transport, session: Session
    ) -> Iterator[tuple[Transport, Recording | None]]:
        """The transport of a session, and its recording where sessions are recorded."""
        recorder = self.observers.recorder
        if recorder is None:
            yield transport, None
            return
        recording = recorder.begin(session.id, self.engine.model)
        try:
            yield RecordedTransport(transport, recording), recording
        finally:
            recording.end()

    async def turn_over(self, pcm: bytes) -> float | None:
        """Probability that a turn (PCM16 mono at 24 kHz) is over; None where nobody can tell."""
        if self.turn_model:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self.judging, self.turn_model.judge, pcm)
        audio = Audio(random_id("pause"), pcm)
        try:
            return await self.engine.turn_over(audio)
        except EngineError as error:
            log.debug("no judgement of a pause: %s", error.message)
            return None
        finally:
            await self.engine.forget([audio.id])
