"""The openai package's own client, newest and old, in spoken conversations with the golden checkpoint."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from serving import GOLDEN, ROOT, command

OLD = ROOT / ".clients" / "openai-2.6.1"
PROGRAM = Path(__file__).with_name("conversation.py")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    environment = {"XDG_CACHE_HOME": str(folder), "CHROMA_REALTIME_VOICES": str(folder / "voices")}
    # Long enough to be interrupted, short enough to be waited for.
    with command("--model", str(GOLDEN), "--max-seconds", "6", environment=environment) as url:
        yield f"{url}/v1"


def converse(url: str, mode: str, client: str) -> dict:
    environment = dict(os.environ)
    if client == "2.6.1":
        assert OLD.is_dir(), "run `make install`: it fetches the old client"
        environment["PYTHONPATH"] = str(OLD)
    result = subprocess.run(
        [sys.executable, str(PROGRAM), url, mode],
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["openai"] == client if client == "2.6.1" else found["openai"] > "3"
    return found


CLIENTS = pytest.mark.parametrize("client", ["newest", "2.6.1"])


@CLIENTS
@pytest.mark.parametrize("mode", ["server_vad", "manual"])
def test_a_two_turn_spoken_conversation(server, mode, client):
    found = converse(server, mode, client)
    assert found["statuses"] == ["incomplete", "incomplete"], "noise weights speak up to the limit"
    assert list(found["seconds"].values()) == [6.0, 6.0]
    assert found["audio_tokens"] == [75, 75]
    assert all(found["transcripts"])
    first, second = found["input_tokens"]
    assert second > first + 50, "the second turn carries the first"
    heard = found["types"].count("input_audio_buffer.speech_started")
    assert (
        heard
        == found["types"].count("input_audio_buffer.speech_stopped")
        == (2 if mode == "server_vad" else 0)
    )
    assert found["types"].count("input_audio_buffer.committed") == 2


@CLIENTS
def test_barge_in(server, client):
    found = converse(server, "barge_in", client)
    assert found["statuses"] == ["cancelled", "incomplete"]
    assert found["reasons"] == ["turn_detected", "max_output_tokens"]
    cut, whole = found["seconds"].values()
    assert cut < whole == 6.0
    types = found["types"]
    tail = types[types.index("response.done") - 5 : types.index("response.done")]
    assert tail[0] == "response.output_audio.done", "nothing between the interruption and the end"
