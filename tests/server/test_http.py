"""The HTTP routes, and what the server says while it is not ready."""

import asyncio
import json
import threading
import urllib.error
import urllib.request

import pytest
from serving import app
from test_socket import EndlessEngine
from websockets.sync.client import connect

from engine import EngineError, EngineSettings, Finished
from engine.echo import EchoEngine


def get(url: str, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url.replace("ws", "http", 1) + path, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_models_in_openais_form(echo):
    status, body = get(echo, "/v1/models")
    (model,) = json.loads(body)["data"]
    assert (status, model["id"], model["object"]) == (200, "echo", "model")
    assert json.loads(get(echo, "/v1/models/echo")[1]) == model
    status, body = get(echo, "/v1/models/gpt-9")
    assert (status, json.loads(body)["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize("path", ["/v1/nowhere", "/v1/models/a%0Ab"])
def test_what_is_not_there_is_told_in_openais_form(echo, path):
    """A newline is in no path of Starlette's."""
    status, body = get(echo, path)
    assert (status, json.loads(body)["error"]["code"]) == (404, "not_found")


def test_a_method_that_is_not_taken_is_told_with_those_that_are(echo):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(
            urllib.request.Request(echo.replace("ws", "http", 1) + "/v1/models", data=b"{}"), timeout=10
        )
    error = json.loads(refused.value.read())["error"]
    assert (refused.value.code, error["code"]) == (405, "method_not_allowed")
    assert "GET" in refused.value.headers["allow"]


def test_a_checkpoint_folder_is_listed_by_its_name(tmp_path):
    engine = EchoEngine(EngineSettings(model="echo"))
    engine.model = str(tmp_path / "my-chroma")
    (tmp_path / "my-chroma").mkdir()
    with app(engine) as url:
        assert json.loads(get(url, "/v1/models")[1])["data"][0]["id"] == "my-chroma"


def test_alive_and_ready(echo):
    assert get(echo, "/health") == (200, '{"status":"alive"}')
    status, body = get(echo, "/ready")
    assert (status, json.loads(body)["status"]) == (200, "ready")
    assert "/v1/realtime" in get(echo, "/")[1]


class SlowEngine(EndlessEngine):
    """Loads until it is told to go on, then fails or not."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self._error = error

    async def open(self):
        await asyncio.to_thread(self.go_on.wait, 20)
        if self._error:
            raise self._error


def refusal(url: str) -> dict:
    with connect(url + "/v1/realtime") as socket:
        return json.loads(socket.recv(10))["error"]


def test_a_server_that_loads_is_alive_but_not_ready():
    engine = SlowEngine(None)
    with app(engine, wait=False) as url:
        assert get(url, "/health")[0] == 200
        assert get(url, "/ready")[0] == 503
        assert refusal(url)["code"] == "engine_not_ready"
        engine.go_on.set()


def test_a_failed_start_says_why():
    engine = SlowEngine(EngineError("model_not_found", "no such model"))
    engine.go_on.set()
    with app(engine) as url:
        status, body = get(url, "/ready")
        assert (status, json.loads(body)["message"]) == (503, "no such model")
        assert refusal(url)["message"] == "no such model"


class MuteEngine(EndlessEngine):
    """Answers without a sound."""

    async def respond(self, request):
        yield Finished("completed")


def test_ready_means_that_it_really_spoke():
    with app(MuteEngine()) as url:
        status, body = get(url, "/ready")
        assert (status, json.loads(body)["message"]) == (503, "the model made no sound for its first words")
