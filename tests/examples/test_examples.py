"""Every example against a real server on echo, which says again what it hears and is told."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from running import EXAMPLES, NODE, ROOT, environment, run, speech_s

AGENTS = ROOT / ".clients" / "openai-agents"
CALL = '<tool_call>\n{"name": "get_time", "arguments": {"zone": "Europe/Paris"}}\n</tool_call>'
"""Echo says what it is told, so told a call it makes it."""


def as_long_as_asked(seconds: float) -> bool:
    """Whether this is the length of the question in examples/, give or take the silence around it."""
    return abs(seconds - speech_s(EXAMPLES / "question.wav")) < 0.85


def heard(path: Path) -> bool:
    """Whether an answer is the question in examples/."""
    return as_long_as_asked(speech_s(path))


def heavy(name: str) -> Path:
    """The Python of an environment that `make examples` makes."""
    python = ROOT / ".clients" / name / "bin" / "python"
    if not python.exists():
        pytest.skip(f"examples/{name} left out: 'make examples' installs what it needs")
    return python


def test_openai_speech(server, tmp_path):
    said = run(sys.executable, EXAMPLES / "openai_speech.py", server=server, cwd=tmp_path)
    assert "heard the end of the turn" in said
    assert heard(tmp_path / "answer.wav")


def test_openai_text(server, tmp_path):
    said = run(sys.executable, EXAMPLES / "openai_text.py", "Good morning, Ann.", server=server, cwd=tmp_path)
    assert said == "Good morning, Ann.\n"


def test_openai_tools(server, tmp_path):
    said = run(sys.executable, EXAMPLES / "openai_tools.py", CALL, server=server, cwd=tmp_path).splitlines()
    assert said[0].startswith('get_time({"zone": "Europe/Paris"}) -> It is ')
    assert said[1:] == [said[0].partition(" -> ")[2]], "the answer makes use of what the tool said"


def test_openai_agents(server, tmp_path):
    if not AGENTS.exists():
        pytest.skip("examples/openai_agents.py left out: 'make install' installs openai-agents")
    script = EXAMPLES / "openai_agents.py"
    said = run(sys.executable, script, server=server, cwd=tmp_path, PYTHONPATH=str(AGENTS))
    assert as_long_as_asked(float(said.split(" s of speech")[0].split()[-1]))


def test_node(server, tmp_path, node_examples):
    said = run("node", node_examples / "node" / "speech.mjs", server=server, cwd=tmp_path)
    assert "s of speech are in answer.wav" in said
    assert heard(tmp_path / "answer.wav")


@pytest.mark.parametrize("folder", ["node", "page"])
def test_node_examples_pin_what_is_tested(folder):
    tested = json.loads((NODE / "package.json").read_text())["dependencies"]
    named = json.loads((EXAMPLES / folder / "package.json").read_text())["dependencies"]
    assert named.items() <= tested.items()


def test_livekit(server, tmp_path):
    said = run(heavy("livekit"), EXAMPLES / "livekit" / "agent.py", server=server, cwd=tmp_path)
    assert "assistant: You said" in said
    assert heard(tmp_path / "answer.wav")


def test_pipecat(server, tmp_path):
    run(heavy("pipecat"), EXAMPLES / "pipecat" / "bot.py", server=server, cwd=tmp_path)
    assert heard(tmp_path / "answer.wav")


@pytest.fixture
def jq():
    if not shutil.which("jq"):
        pytest.skip("examples/shell left out: they need jq")


@pytest.mark.usefixtures("jq")
def test_websocat(server, tmp_path):
    # websocat itself is in none of the registries; a program that takes the same arguments stands in for it.
    stand_in = tmp_path / "websocat"
    program = Path(__file__).with_name("websocat_stand_in.py")
    stand_in.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{program}" "$@"\n')
    stand_in.chmod(0o755)
    script = EXAMPLES / "shell" / "websocat.sh"
    said = run(script, "Good morning, Ann.", server=server, cwd=tmp_path, WEBSOCAT=str(stand_in))
    assert said == "Good morning, Ann.\n"


@pytest.mark.usefixtures("jq")
def test_curl(server, tmp_path):
    said = run(EXAMPLES / "shell" / "chat.sh", server=server, cwd=tmp_path)
    assert said.startswith("You said")
    assert heard(tmp_path / "answer.wav")
    assert os.listdir(tmp_path) == ["answer.wav"]


@pytest.mark.parametrize("script", ["openai_speech.py", "openai_text.py", "openai_tools.py"])
def test_a_server_that_is_not_there_is_told(tmp_path, script):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        server = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
        done = subprocess.run(
            [sys.executable, EXAMPLES / script],
            env=environment(server),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode != 0
    assert "Connect" in done.stderr


def test_demo(tmp_path):
    script = EXAMPLES / "demo.py"
    said = run(sys.executable, script, "--model", "echo", server="", cwd=tmp_path, PYTHONPATH=str(ROOT))
    assert "response.done: completed" in said
    assert "done: the answer is in answer.wav" in said
