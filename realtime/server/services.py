"""What all connections share."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import Executor
from dataclasses import dataclass, field

from engine import Audio, Engine, EngineError
from realtime.audio.turn_model import TurnModel
from realtime.audio.vad import VadWorker
from realtime.protocol.ids import random_id
from realtime.server.draining import Draining
from realtime.server.observe.metrics import Metrics
from realtime.server.settings import ServerSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """The engine, the model beside it that only transcribes, the ear, the settings, what is counted, and who
    judges pauses: a model of its own in a thread of its own, or else the engine."""

    engine: Engine
    vad: VadWorker
    settings: ServerSettings
    metrics: Metrics
    transcriber: Engine | None = None
    turn_model: TurnModel | None = None
    judging: Executor | None = None
    draining: Draining = field(default_factory=Draining)

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
