"""The trace of a turn, kept in memory by OpenTelemetry's own exporter."""

import asyncio
import sys

import pytest
from caller import SILENCE, connect, recording
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from serving import app

from engine import EngineError, EngineSettings
from engine.echo import EchoEngine
from realtime.server.observe.traces import Traces
from realtime.server.observe.turn import Turn


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traces(exporter) -> Traces:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Traces(provider)


def lengths(exporter: InMemorySpanExporter) -> dict[str, float]:
    """Milliseconds of each span."""
    return {
        span.name: round((span.end_time - span.start_time) / 1e6, 3) for span in exporter.get_finished_spans()
    }


def test_the_steps_of_a_turn(traces, exporter):
    turn = Turn(
        "resp_1",
        begun=10.51,
        speech_end=10.0,
        committed=10.5,
        asked=10.5,
        first_pair=10.6,
        first_frame=10.7,
        first_delta=10.71,
        status="completed",
    )
    traces.turn("sess_1", turn, now=12.0)
    assert lengths(exporter) == {
        "turn": 710.0,
        "end of turn": 500.0,
        "first pair": 100.0,
        "first frame": 100.0,
        "first delta": 10.0,
    }
    spans = {span.name: span for span in exporter.get_finished_spans()}
    whole = spans["turn"]
    assert whole.attributes == {
        "session.id": "sess_1",
        "response.id": "resp_1",
        "response.status": "completed",
    }
    assert all(span.parent.span_id == whole.context.span_id for span in spans.values() if span is not whole)


def test_an_early_answer_waits_for_its_turn_to_be_over(traces, exporter):
    turn = Turn(
        "resp_1",
        begun=10.5,
        speech_end=10.0,
        committed=10.5,
        asked=10.2,
        first_pair=10.25,
        first_frame=10.3,
        first_delta=10.501,
    )
    traces.turn("sess_1", turn, now=12.0)
    assert lengths(exporter)["first delta"] == 1.0
    assert lengths(exporter)["turn"] == 501.0


def test_what_did_not_happen_has_no_span(traces, exporter):
    traces.turn("sess_1", Turn("resp_1", begun=10.0, status="failed"), now=12.0)
    assert lengths(exporter) == {"turn": 0.0}


def test_a_conversation_is_traced(traces, exporter, monkeypatch):
    monkeypatch.setattr(Traces, "to_collector", lambda model: traces)

    async def talk(url: str) -> None:
        async with connect(url) as caller:
            await caller.configure(turn_detection={"type": "server_vad", "silence_duration_ms": 400})
            await caller.append(recording("question") + SILENCE)
            await caller.until("response.done")

    with app(EchoEngine(EngineSettings(model="echo")), traces=True) as url:
        asyncio.run(talk(url))
    assert lengths(exporter).keys() == {"turn", "end of turn", "first pair", "first frame", "first delta"}


def test_without_opentelemetry_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(EngineError, match=r"pip install 'chroma-realtime\[otel\]'"):
        Traces.to_collector("echo")
