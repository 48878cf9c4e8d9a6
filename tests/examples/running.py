"""Examples run as a person runs them: as a command, with the server's address in the environment."""

from __future__ import annotations

import os
import subprocess
import wave
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
NODE = ROOT / "tests" / "conformance" / "node"
"""Where the packages are that the Node examples need."""
QUESTION = EXAMPLES / "question.wav"


def environment(server: str, **more: str) -> dict[str, str]:
    """What an example finds: the server, and nothing of this repository on its path."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**kept, "OPENAI_BASE_URL": server, "OPENAI_API_KEY": "unused", **more}


def run(*command: object, server: str, cwd: Path, **more: str) -> str:
    """What an example prints; it has to end well."""
    done = subprocess.run(
        [str(word) for word in command],
        env=environment(server, **more),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def speech_s(path: Path) -> float:
    """Seconds of sound in an answer of PCM16, mono, 24 kHz."""
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24_000)
        return file.getnframes() / 24_000
