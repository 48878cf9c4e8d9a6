"""What the server counts and measures, for Prometheus: `GET /metrics`.

Every name begins with `chroma_realtime_` (the gateway) or `chroma_engine_` (the engine, which hands its
numbers over the wall when they are asked for); `process_` is the gateway's own process.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import choose_encoder

from engine import Engine, EngineError, EngineStats
from realtime.server.observe.engine_metrics import EngineCollector

log = logging.getLogger(__name__)

_WAITS = (0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_GAPS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.25, 0.5, 1.0, 2.0, 5.0)
_PATIENCE_S = 1.0
"""How long the engine may take to say what it is busy with: a scrape is worth no longer wait."""


class Metrics:
    """One gateway's instruments. All but `render` belong to any thread and return at once."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._engine = EngineCollector()
        ProcessCollector(registry=self._registry)
        self._registry.register(self._engine)
        self.sessions = self._gauge("sessions", "Sessions that are open.")
        self.opened = self._counter("sessions_opened", "Sessions that were opened.")
        self.responses = self._counter(
            "responses",
            "Answers that ended, by who asked and how they ended.",
            "route",
            "status",
        )
        self.errors = self._counter(
            "errors",
            "Errors that clients were told: events, refused handshakes, failed answers, HTTP.",
            "where",
            "code",
        )
        self.requests = self._counter("http_requests", "HTTP requests that were answered.", "route", "status")
        self.first_audio = self._histogram(
            "first_audio_seconds",
            "From the end of speech as it was heard, from the commit of the turn, and from the beginning of"
            " the response, until the first sound of the answer was sent.",
            _WAITS,
            "since",
        )
        self.gaps = self._histogram(
            "gap_seconds",
            "Silences in answers: how long whoever plays the sound as it is sent has run dry.",
            _GAPS,
        )
        sound = self._counter("audio_seconds", "Sound that came in and went out.", "direction")
        self._sound_in, self._sound_out = sound.labels("in"), sound.labels("out")
        self.vad_lag = self._gauge(
            "vad_lag_seconds", "Sound that waits for voice activity detection, of the session with most."
        )
        self.ready = self._gauge("ready", "1 once the engine has really spoken.")

    async def render(self, engine: Engine, accept: str) -> tuple[bytes, str]:
        """All of it as text, and the content type: the form that the `Accept` header asks for."""
        self._engine.stats = await self._ask(engine)
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    async def _ask(self, engine: Engine) -> EngineStats | None:
        try:
            return await asyncio.wait_for(engine.stats(), _PATIENCE_S)
        except (EngineError, TimeoutError) as error:
            log.debug("no numbers of the engine: %s", error)
            return None

    def sound_in(self, seconds: float) -> None:
        """So much more sound came."""
        self._sound_in.inc(seconds)

    def sound_out(self, seconds: float) -> None:
        """So much more sound was sent."""
        self._sound_out.inc(seconds)

    def ended(self, route: str) -> Callable[[str], None]:
        """Counts answers of a route by how each ended."""
        return lambda status: self.responses.labels(route, status).inc()

    def watch(self, *, lag: Callable[[], float], ready: Callable[[], bool]) -> None:
        """What is asked for at each scrape: seconds of sound that wait, and whether the engine has spoken."""
        self.vad_lag.set_function(lag)
        self.ready.set_function(lambda: float(ready()))

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(f"chroma_realtime_{name}", text, registry=self._registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"chroma_realtime_{name}", text, labels, registry=self._registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"chroma_realtime_{name}", text, labels, registry=self._registry, buckets=buckets)
