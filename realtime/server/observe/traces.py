"""A trace of each turn by OpenTelemetry: where the time went from the end of speech to the first sound.

A turn is a span `turn`, from the end of the user's speech to the first sound that was sent, and in it:

    end of turn    end of speech → commit
    first pair     the engine is asked → its first word (a pair for the Backbone)
    first frame    first word → first frame of sound
    first delta    first frame, or the response's beginning where that is later → the first delta was sent

An answer that was begun early is asked for before its commit, so its spans lie beside `end of turn`. What did
not happen has no span.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from engine import EngineError
from realtime.server.observe.turn import Turn

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_NS = 1_000_000_000


class Traces:
    """Sends turns somewhere.

    Args:
        provider: of OpenTelemetry.
    """

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import trace

        self._provider = provider
        self._tracer = provider.get_tracer("chroma-realtime")
        self._within = trace.set_span_in_context

    @classmethod
    def to_collector(cls, model: str) -> Traces:
        """Traces that go to a collector over OTLP, which the standard variables name
        (`OTEL_EXPORTER_OTLP_ENDPOINT` and so on).

        Raises:
            EngineError: `not_installed`.
        """
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            raise EngineError(
                "not_installed", "--traces needs OpenTelemetry: pip install 'chroma-realtime[otel]'"
            ) from None
        provider = TracerProvider(
            resource=Resource.create({"service.name": "chroma-realtime", "gen_ai.request.model": model})
        )
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider)

    def close(self) -> None:
        """Send what has not been sent."""
        self._provider.shutdown()

    def turn(self, session_id: str, turn: Turn, now: float) -> None:
        """A turn is over; `now` on the clock of its times."""
        offset = time.time_ns() - round(now * _NS)

        def wall(at: float) -> int:
            return offset + round(at * _NS)

        begin = next(at for at in (turn.speech_end, turn.committed, turn.begun) if at is not None)
        end = max(begin, turn.begun if turn.first_delta is None else turn.first_delta)
        ids = {"session.id": session_id, "response.id": turn.response_id}
        whole = self._tracer.start_span(
            "turn", start_time=wall(begin), attributes={**ids, "response.status": turn.status or "unknown"}
        )
        context = self._within(whole)
        ready = None if turn.first_frame is None else max(turn.first_frame, turn.begun)
        steps: list[tuple[str, float | None, float | None]] = [
            ("end of turn", turn.speech_end, turn.committed),
            ("first pair", turn.asked, turn.first_pair),
            ("first frame", turn.first_pair, turn.first_frame),
            ("first delta", ready, turn.first_delta),
        ]
        for name, start, stop in steps:
            if start is not None and stop is not None:
                attributes: Any = ids
                span = self._tracer.start_span(name, context, start_time=wall(start), attributes=attributes)
                span.end(wall(max(start, stop)))
        whole.end(wall(end))
