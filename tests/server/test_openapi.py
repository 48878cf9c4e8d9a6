"""The HTTP API does what its OpenAPI document says, whatever it is asked: schemathesis asks."""

import io
import os
import re
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from serving import app
from starlette.routing import Route

from engine import EngineSettings
from engine.echo import EchoEngine
from realtime.server.app import create_app
from realtime.server.gateway import Gateway
from realtime.server.rest.openapi import document
from realtime.server.settings import ServerSettings

schemathesis = pytest.importorskip("schemathesis")
checks = pytest.importorskip("schemathesis.specs.openapi.checks")

EXAMPLES = int(os.environ.get("CHROMA_REALTIME_FUZZ_EXAMPLES", "6"))
"""Requests to each operation; `make fuzz` makes more."""
OPERATIONS = [(path, verb) for path, verbs in document()["paths"].items() for verb in verbs]


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Iterator[str]:
    voices = tmp_path_factory.mktemp("voices")
    engine = EchoEngine(EngineSettings(model="echo", voices_dir=voices, max_seconds=1.0))
    with app(engine, voices_dir=voices, max_body_s=5.0) as url:
        yield url.replace("ws", "http", 1)


@pytest.mark.parametrize(("path", "verb"), OPERATIONS)
def test_what_is_asked_at_random_is_answered_as_the_document_says(base, path, verb):
    operation = schemathesis.openapi.from_dict(document())[path][verb]

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy())
    def ask(case):
        answer = case.call(base_url=base, timeout=20)
        case.validate_response(
            answer,
            checks=[
                schemathesis.checks.not_a_server_error,
                checks.status_code_conformance,
                checks.content_type_conformance,
                checks.response_schema_conformance,
            ],
        )

    ask()


def test_every_route_is_described():
    gateway = Gateway(EchoEngine(EngineSettings(model="echo")), ServerSettings())
    served = {
        (re.sub(r":\w+}", "}", route.path), method.lower())
        for route in create_app(gateway).routes
        if isinstance(route, Route) and route.path.startswith(("/v1/", "/health", "/ready"))
        for method in (route.methods or ())
        if method != "HEAD"
    }
    described = {(path, method) for path, verbs in document()["paths"].items() for method in verbs}
    # The phone calls that are refused are nothing to ask for.
    assert described == served - {("/v1/realtime/calls/{call}/{verb}", "post")}


def test_what_it_describes_can_be_done(base):
    """A right request of each kind, so that random ones that are all refused prove something."""
    sound = io.BytesIO()
    soundfile.write(sound, 0.3 * np.sin(np.arange(4 * 24_000) / 17), 24_000, format="WAV")
    files = {"file": ("a.wav", sound.getvalue(), "audio/wav")}
    voice = {"name": "ann", "transcript": "humming", "consent": "Nobody's."}
    asked = {"messages": [{"role": "user", "content": "Hi"}]}
    with httpx.Client(base_url=base, timeout=20) as client:
        answers = [
            client.get("/v1/models"),
            client.post("/v1/chat/completions", json=asked),
            client.post("/v1/audio/speech", json={"input": "Hi", "response_format": "wav"}),
            client.post("/v1/audio/transcriptions", data={"model": "x"}, files=files),
            client.post("/v1/audio/voices", data=voice, files=files),
            client.delete("/v1/audio/voices/ann"),
            client.post("/v1/realtime/client_secrets", json={}),
            client.post("/v1/realtime/sessions", json={}),
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 201, 200, 200, 200]
