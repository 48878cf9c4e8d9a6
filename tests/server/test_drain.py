"""The server is told to stop: nobody new, running answers end, then everybody is told why."""

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import urllib.request
from collections.abc import Iterator

import pytest
from serving import COMMAND
from test_http import get
from test_socket import EndlessEngine, receive, say, send, until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from realtime.server.serving import Serving
from realtime.server.settings import ServerSettings

PACE = {"CHROMA_REALTIME_ECHO_PACE": "2"}


@contextlib.contextmanager
def process(*options: str) -> Iterator[tuple[subprocess.Popen, str]]:
    """The command, that a test stops by itself."""
    command = [*COMMAND, "serve", "--model", "echo", "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | PACE) as served:
        assert served.stderr is not None
        try:
            for line in served.stderr:
                if found := re.match(r"Ready: (ws://\S+?)/v1/realtime ", line):
                    break
            threading.Thread(target=served.stderr.read, daemon=True).start()
            yield served, found[1]
        finally:
            served.kill()


def closed(client) -> tuple[int, str]:
    """How the server closes, after the error that says why."""
    assert receive(client)["error"]["code"] == "server_stopping"
    with pytest.raises(ConnectionClosed) as end:
        client.recv(20)
    return end.value.rcvd.code, end.value.rcvd.reason


def test_running_answers_end_and_nobody_new_comes_in():
    words = " ".join(["more"] * 40)
    with (
        process() as (served, url),
        connect(url + "/v1/realtime") as speaks,
        connect(url + "/v1/realtime") as idle,
    ):
        receive(speaks)
        receive(idle)
        say(speaks, words)
        until(speaks, "response.output_audio.delta")
        served.send_signal(signal.SIGTERM)
        # Who has nothing to wait for leaves at once.
        code, reason = closed(idle)
        assert code == 1001
        assert "connect again" in reason
        status, body = get(url, "/ready")
        assert (status, json.loads(body)["status"]) == (503, "stopping")
        with connect(url + "/v1/realtime") as late:
            assert receive(late)["error"]["code"] == "server_stopping"
            with pytest.raises(ConnectionClosed) as end:
                late.recv(10)
            assert end.value.rcvd.code == 1013
        done = until(speaks, "response.done")[-1]["response"]
        assert done["status"] == "completed"
        assert done["output"][0]["content"][0]["transcript"] == words
        assert closed(speaks)[0] == 1001
        assert served.wait(20) in (0, -signal.SIGTERM)


def test_an_answer_that_takes_too_long_is_cut_off():
    engine = EndlessEngine(pause=0.01)
    serving = Serving(engine, ServerSettings(port=0, drain_s=0.2))
    thread = threading.Thread(target=serving.run)
    thread.start()
    while get(serving.address, "/ready")[0] != 200:
        assert thread.is_alive()
    with connect(serving.address + "/v1/realtime") as client:
        receive(client)
        send(client, "response.create")
        until(client, "response.output_audio.delta")
        serving.stop()
        assert until(client, "response.done")[-1]["response"]["status"] == "cancelled"
        assert closed(client)[0] == 1001
    assert engine.cancelled.wait(10)
    thread.join(20)
    assert not thread.is_alive()


def test_an_answer_over_http_ends_too():
    body = {"model": "echo", "input": " ".join(["more"] * 30), "response_format": "pcm"}
    with process() as (served, url):
        http = url.replace("ws", "http", 1)
        asked = urllib.request.Request(f"{http}/v1/audio/speech", json.dumps(body).encode())
        with urllib.request.urlopen(asked, timeout=20) as answer:
            first = answer.read(3840)
            served.send_signal(signal.SIGTERM)
            rest = answer.read()
        assert len(first + rest) >= 30 * 3 * 3840
        assert served.wait(20) in (0, -signal.SIGTERM)


def test_told_twice_it_stops_at_once():
    with (
        process("--drain-s", "60") as (served, url),
        connect(url + "/v1/realtime", close_timeout=0.1) as client,
    ):
        receive(client)
        say(client, " ".join(["more"] * 4000))
        until(client, "response.output_audio.delta")
        served.send_signal(signal.SIGTERM)
        while get(url, "/ready")[0] != 503:
            pass
        served.send_signal(signal.SIGTERM)
        assert served.wait(30) in (0, -signal.SIGTERM), "long before the answer is over"
