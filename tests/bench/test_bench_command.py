"""`chroma-realtime bench` against real servers: this one, and one that is none of ours."""

import contextlib
import json
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from websockets.sync.server import serve

from realtime.bench.address import metrics_url, socket_url
from realtime.bench.server_load import ServerLoad
from realtime.server import cli

QUESTION = Path(__file__).parents[1] / "data" / "speech" / "question.wav"


@contextlib.contextmanager
def refusing() -> Iterator[str]:
    """A server that takes every connection, and tells each that it has no room."""

    def refuse(socket) -> None:
        socket.send('{"type":"error","error":{"type":"server_error","code":"session_limit_reached"}}')
        socket.close(1013, "full")

    with serve(refuse, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def question(tmp_path) -> Path:
    """A short one."""
    sound, rate = soundfile.read(QUESTION)
    soundfile.write(tmp_path / "question.wav", sound[: int(1.2 * rate)], rate)
    return tmp_path / "question.wav"


def test_conversations_are_held_and_measured(echo, question, tmp_path, capsys):
    kept = tmp_path / "figures.json"
    code = cli.main(
        [
            *("bench", echo, str(question), "--sessions", "2", "--idle", "1", "--seconds", "4"),
            *("--every", "2.5", "--barge-in", "0", "--append-ms", "40", "--processes", "2"),
            *("--json", str(kept), "--plots", str(tmp_path)),
        ]
    )
    assert code == 0
    figures = json.loads(kept.read_text())
    counts = figures["counts"]
    assert (counts["opened"], counts["closed"]) == (3, 3)
    assert counts["answers"] >= 2
    assert figures["errors"] == {}
    histograms = figures["histograms"]
    assert histograms["connect"]["count"] == 3
    assert histograms["commit"]["count"] == histograms["speech_end"]["count"] == counts["answers"]
    # The server waits for half a second of silence before it takes a turn to be over.
    assert histograms["speech_end"]["p50_ms"] > 400 > histograms["commit"]["p50_ms"]
    assert histograms["late"]["count"] >= 100
    assert figures["server"]["memory_most"] > 1e6
    assert figures["server"]["cpu"] > 0
    assert figures["timeline"][-1]["sessions"] == 0
    assert "api_key" not in kept.read_text()
    for name in ("percentiles.svg", "timeline.svg"):
        assert "first audio after commit" in (tmp_path / name).read_text()
    said = capsys.readouterr()
    assert "first audio after end of speech" in said.out
    assert re.search(r"sessions \d open of \d opened", said.err)


@pytest.mark.parametrize("manual", [False, True])
def test_every_answer_is_interrupted(paced, question, tmp_path, manual):
    kept = tmp_path / "figures.json"
    code = cli.main(
        [
            *("bench", paced, str(question), "--sessions", "1", "--seconds", "4", "--every", "60"),
            *("--barge-in", "1", "--barge-in-after", "0.3", "--json", str(kept)),
            *(["--manual"] if manual else []),
        ]
    )
    assert code == 0
    figures = json.loads(kept.read_text())
    assert figures["errors"] == {}
    assert figures["counts"]["questions"] >= 2
    assert figures["histograms"]["barge_in"]["count"] >= 1
    assert (figures["histograms"]["noticed"]["count"] == 0) == manual


def test_a_server_without_room_is_told(capsys):
    with refusing() as address:
        assert cli.main(["bench", address, str(QUESTION), "--sessions", "2", "--seconds", "0.5"]) == 1
    said = capsys.readouterr().out
    assert "errors: session_limit_reached 2" in said
    assert "server: not to be seen" in said


def test_nobody_there(capsys):
    assert cli.main(["bench", "127.0.0.1:9", str(QUESTION), "--sessions", "1", "--seconds", "0.5"]) == 1
    assert "connect_failed (ConnectionRefusedError) 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sessions", "0"], "there are no sessions to hold"),
        (["--append-ms", "1"], "--append-ms must be between 5 and 1000"),
        (["--every", "0"], "--every must be more than 0"),
    ],
)
def test_options_that_cannot_be(options, said, capsys):
    assert cli.main(["bench", "127.0.0.1:9", str(QUESTION), *options]) == 2
    assert capsys.readouterr().err == f"bench: {said}\n"


def test_a_recording_that_is_none(tmp_path, capsys):
    assert cli.main(["bench", "127.0.0.1:9", str(tmp_path / "none.wav")]) == 2
    assert "none.wav" in capsys.readouterr().err


def test_what_a_person_types_is_an_address():
    wanted = "ws://host:8000/v1/realtime?model=m"
    for given in ("host:8000", "http://host:8000", "ws://host:8000/v1", "ws://host:8000/v1/realtime"):
        assert socket_url(given, "m") == wanted
    assert socket_url("https://host/v1/realtime?model=x", "m") == "wss://host/v1/realtime?model=x"
    assert socket_url("wss://host/openai/realtime?api=1", "m") == "wss://host/openai/realtime?api=1&model=m"
    assert metrics_url(wanted) == "http://host:8000/metrics"
    assert metrics_url("wss://host/far/v1/realtime?model=m") == "https://host/far/metrics"


def test_a_process_of_this_machine_is_seen():
    server = ServerLoad("http://127.0.0.1:9/metrics", None, os.getpid())
    server.look()
    seen = server.look()
    server.close()
    assert seen["memory"] > 1e6
    assert seen["cpu"] >= 0
    assert server.summary()["memory_most"] >= seen["memory"]
