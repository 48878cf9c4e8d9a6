"""`make demo`: start a server on the best model there is on this machine and speak with it, once."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMAND = Path(sys.executable).with_name("chroma-realtime")
PUBLISHED = "FlashLabs/Chroma-4B"


def choose() -> str:
    """The published model where a GPU and its files are at hand, else echo, said aloud."""
    import torch

    if not torch.cuda.is_available():
        why = "this machine has no GPU that torch can use"
    else:
        doctor = [COMMAND, "doctor", "--model", PUBLISHED]
        if subprocess.run(doctor, capture_output=True, check=False).returncode == 0:
            return PUBLISHED
        why = f"{PUBLISHED} cannot be had from here"
    print(
        f"No model: {why}. The demo runs on `echo`, an engine that says again what it hears.\n"
        f"To hear the real model, on a machine with an NVIDIA GPU: make demo MODEL={PUBLISHED}\n"
        f"What is missing, and what mends it: .venv/bin/chroma-realtime doctor --model {PUBLISHED}\n"
    )
    return "echo"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_ready(server: subprocess.Popen[bytes], port: int) -> bool:
    """True once the server has spoken; False when it has ended instead. A first start may download
    gigabytes, so there is no time limit: the server's own progress is on the terminal."""
    while server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as reply:
                if reply.status == 200:
                    return True
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.2)
    return False


def stop(server: subprocess.Popen[bytes]) -> None:
    """End the server, politely first."""
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=os.environ.get("CHROMA_MODEL"), help="a folder, a hub id, or echo")
    model = parser.parse_args().model or choose()

    port = free_port()
    print(f"--- serving {model} on port {port}", flush=True)
    server = subprocess.Popen(
        [COMMAND, "serve", "--model", model, "--host", "127.0.0.1", "--port", str(port)]
    )
    try:
        if not wait_until_ready(server, port):
            print("--- the server ended before it was ready; its reason is above", file=sys.stderr)
            return 1
        print("--- asking it examples/question.wav", flush=True)
        answer = ROOT / "answer.wav"
        talk = [COMMAND, "talk", ROOT / "examples" / "question.wav", "--out", answer]
        code = subprocess.run([*talk, "--url", f"ws://127.0.0.1:{port}/v1"], check=False).returncode
    finally:
        stop(server)
    if code != 0:
        print("--- the conversation failed; its reason is above", file=sys.stderr)
        return code
    print(
        "\n--- done: the answer is in answer.wav\n"
        "Go on:\n"
        f"  .venv/bin/chroma-realtime serve --model {model}          a server that stays;\n"
        "      open http://localhost:8000 and talk to it\n"
        "  .venv/bin/chroma-realtime talk YOUR.wav --out answer.wav  speak with it (in another terminal)\n"
        '  .venv/bin/chroma-realtime voice add NAME SAMPLE.wav --text "what the sample says"\n'
        "README.md shows how to use it from the OpenAI client that you have."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
