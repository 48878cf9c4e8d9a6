"""`serve` and `talk` as a person runs them: their output, their one-line errors, TLS."""

import itertools
import signal
import socket
import subprocess
import sys
import wave

import numpy as np
import pytest
import soundfile
from serving import COMMAND, SPEECH, app, command, self_signed
from test_socket import BrokenEngine

from realtime.server.cli import main


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def echo_command():
    with command("--model", "echo") as url:
        yield url


@pytest.mark.parametrize("manner", [[], ["--manual"], ["--voice", "marin", "--instructions", "Be kind."]])
def test_talk_speaks_a_recording_and_keeps_the_answer(echo_command, tmp_path, manner):
    out = tmp_path / "answer.wav"
    url = f"{echo_command}/v1/realtime"
    result = run("talk", str(SPEECH / "question.wav"), "--out", str(out), "--url", url, *manner)
    assert result.returncode == 0, result.stderr
    assert "response.done: completed" in result.stdout
    assert "commit to first sound" in result.stdout
    assert ("speech_stopped" in result.stdout) is ("--manual" not in manner)
    with wave.open(str(out)) as answer, wave.open(str(SPEECH / "question.wav")) as question:
        assert answer.getframerate() == 24_000
        # Echo says what it heard: the turn, with the padding and silence that came along.
        assert abs(answer.getnframes() - question.getnframes()) < 24_000


@pytest.mark.parametrize("form", ["{}/v1", "{}/v1/realtime?model=x", "{}/realtime"])
def test_talk_takes_every_form_of_the_url(echo_command, form):
    for base in (echo_command, echo_command.replace("ws", "http", 1)):
        result = run("talk", "--text", "good evening", "--url", form.format(base))
        assert result.returncode == 0, result.stderr
        assert "' evening'" in result.stdout or "evening" in result.stdout


def one_line(result: subprocess.CompletedProcess, *words: str) -> None:
    assert result.returncode == 1
    lines = [line for line in result.stderr.splitlines() if not line.startswith("Loading")]
    assert len(lines) == 1, result.stderr
    assert all(word in lines[0] for word in words), lines[0]


def test_talk_tells_what_is_wrong_in_one_line(echo_command, tmp_path):
    (tmp_path / "not.wav").write_text("no sound")
    one_line(run("talk", "--text", "Hi", "--url", "ws://127.0.0.1:9/v1"), "127.0.0.1:9")
    one_line(run("talk", str(tmp_path / "missing.wav"), "--url", echo_command), "missing.wav")
    one_line(run("talk", str(tmp_path / "not.wav"), "--url", echo_command), "not.wav")
    one_line(run("talk", "--text", "Hi", "--voice", "nobody", "--url", f"{echo_command}/v1"), "'nobody'")
    assert run("talk").returncode == 2


def test_serve_tells_what_is_wrong_in_one_line(tmp_path):
    one_line(run("serve", "--model", str(tmp_path / "missing"), "--port", "0"), "missing", "no such folder")
    one_line(run("serve", "--model", str(tmp_path), "--port", "0"), "config.json cannot be read")
    one_line(run("serve", "--slots", "0"), "--slots")
    one_line(run("serve", "--ray-engines", "3", "--ray-max-engines", "2"), "--ray-max-engines")
    one_line(run("serve", "--ray-idle-s", "-1"), "--ray-idle-s")
    one_line(run("serve", "--ssl-certfile", str(tmp_path / "no.pem")), "no.pem")
    one_line(run("serve", "--host", "203.0.113.1", "--open"), "cannot listen on 203.0.113.1")
    one_line(run("serve", "--host", "0.0.0.0"), "there are no keys", "--keys FILE", "--open")
    one_line(run("serve", "--keys", str(tmp_path / "keys")), "keys", "cannot be read")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        one_line(run("serve", "--port", port), f"127.0.0.1:{port}", "in use")


def test_keys_that_the_command_makes_let_a_client_in(tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(run("key", "ada", "--sessions", "2").stdout)
    name, key, limit = keys.read_text().split()
    assert (name, limit) == ("ada", "sessions=2")
    with command("--model", "echo", "--host", "0.0.0.0", "--keys", str(keys)) as url:
        url = url.replace("0.0.0.0", "127.0.0.1")
        result = run("talk", "--text", "Hi", "--url", f"{url}/v1", "--api-key", key)
        assert result.returncode == 0, result.stderr
        one_line(run("talk", "--text", "Hi", "--url", f"{url}/v1"), "Incorrect API key")


def test_tls(tmp_path):
    certificate, key = self_signed(tmp_path)
    with command("--model", "echo", "--ssl-certfile", str(certificate), "--ssl-keyfile", str(key)) as url:
        assert url.startswith("wss://")
        result = run("talk", "--text", "Hi", "--url", f"{url}/v1/realtime", "--insecure")
        assert result.returncode == 0, result.stderr
        one_line(run("talk", "--text", "Hi", "--url", f"{url}/v1/realtime"), "certificate")


def test_ctrl_c_ends_cleanly():
    process = subprocess.Popen(
        [*COMMAND, "serve", "--model", "echo", "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = list(itertools.takewhile(lambda line: not line.startswith("Try it"), process.stderr))
    assert said[0].startswith("Loading echo")
    process.send_signal(signal.SIGINT)
    assert (process.stderr.read(), process.wait(20)) == ("", 0)


def test_a_recording_with_two_turns_gets_two_answers(echo, tmp_path, capsys):
    out = tmp_path / "answer.wav"
    assert main(["talk", str(SPEECH / "two_turns.wav"), "--out", str(out), "--url", echo]) == 0
    said = capsys.readouterr().out
    assert said.count("response.done: completed") == said.count("end of speech to first sound") == 2
    with wave.open(str(out)) as answer:
        assert answer.getnframes() > 6 * 24_000


def test_a_recording_without_speech_is_told(echo, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("realtime.server.talk._PATIENCE_S", 0.2)
    soundfile.write(tmp_path / "silence.flac", np.zeros((800, 2)), 8_000)
    assert main(["talk", str(tmp_path / "silence.flac"), "--url", echo]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "heard no speech" in line
    assert "silence.flac" in line


def test_a_failed_answer_is_told(capsys):
    with app(BrokenEngine()) as url:
        assert main(["talk", "--text", "Hi", "--url", url]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("talk:")]
    assert line == "talk: the response failed: The answer broke: a bug"


def test_the_gateway_does_without_torch():
    """Its commands start fast, and its process stays small: torch is the engine's."""
    code = (
        "import sys; from realtime.server.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "slow = {'torch', 'transformers', 'openai', 'onnxruntime', 'uvicorn'}\n"
        "assert not slow & set(sys.modules), slow & set(sys.modules)\n"
        "import realtime.server.serving, realtime.server.talk, engine.factory, openai.resources.realtime\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_every_command_has_help():
    for name in ("serve", "talk", "voice", "doctor"):
        result = run(name, "--help")
        assert result.returncode == 0
        assert "usage: chroma-realtime " + name in result.stdout
