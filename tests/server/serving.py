"""Real servers on real sockets, for tests: the command itself, or the app around an engine of the test's."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from engine import Engine
from realtime.server.access import Access
from realtime.server.app import create_app
from realtime.server.gateway import Gateway
from realtime.server.serving import server_config
from realtime.server.settings import ServerSettings

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "data" / "golden"
SPEECH = ROOT / "tests" / "data" / "speech"
COMMAND = [sys.executable, "-m", "realtime.server.cli"]


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate that nobody vouches for, and its key."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


@contextlib.contextmanager
def command(*arguments: str, environment: dict[str, str] | None = None) -> Iterator[str]:
    """`chroma-realtime serve` on a free port; yields its base URL (ws://…) once it is ready."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | (environment or {}),
    )
    assert process.stderr is not None
    lines = []
    try:
        for line in process.stderr:
            lines.append(line)
            if found := re.match(r"Ready: (wss?://\S+?)/v1/realtime ", line):
                # Whatever else it says must not fill the pipe.
                threading.Thread(target=process.stderr.read, daemon=True).start()
                yield found[1]
                return
        raise AssertionError(f"the server ended before it was ready: {''.join(lines)}")
    finally:
        process.terminate()
        assert process.wait(20) in (0, -15)


@contextlib.contextmanager
def app(
    engine: Engine,
    *,
    wait: bool = True,
    access: Access | None = None,
    transcriber: Engine | None = None,
    **settings: object,
) -> Iterator[str]:
    """The gateway around `engine` in a thread of this process; yields its base URL."""
    ready = threading.Event()
    served = ServerSettings(port=0, **settings)  # type: ignore[arg-type]
    gateway = Gateway(
        engine,
        served,
        on_ready=ready.set,
        on_failure=lambda _: ready.set(),
        access=access,
        transcriber=transcriber,
    )
    config = server_config(create_app(gateway), served)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        if wait:
            assert ready.wait(30)
        while not (server.started and server.servers):
            assert thread.is_alive()
        yield f"ws://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
