"""A real server in a process of its own, for as long as a benchmark needs it."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_PATIENCE_S = 30.0
"""Seconds that it may take to end."""


@contextmanager
def served(options: Sequence[str]) -> Iterator[str]:
    """`chroma-realtime serve` on a free port; yields its address, ws://…, once it is ready.

    Raises:
        RuntimeError: it ended before; with all that it said.
    """
    command = [sys.executable, "-m", "realtime.server.cli", "serve", "--port", "0", *options]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        said = []
        for line in server.stderr:
            said.append(line)
            if found := re.match(r"Ready: (wss?://\S+?)/v1/realtime ", line):
                break
        else:
            raise RuntimeError(f"the server ended before it was ready: {''.join(said)}")
        # What it says from now on must not fill the pipe.
        threading.Thread(target=server.stderr.read, daemon=True).start()
        yield found[1]
    finally:
        server.terminate()
        try:
            server.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
