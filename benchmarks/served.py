"""A real server in a process of its own, for as long as a benchmark needs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

SERVER = ("realtime.server.cli", "serve")
_PATIENCE_S = 30.0
"""Seconds that it may take to end."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server that is ready: its address, ws://…, and its process."""

    address: str
    pid: int


@contextmanager
def served(
    options: Sequence[str], *, module: Sequence[str] = SERVER, core: int | None = None
) -> Iterator[Served]:
    """`chroma-realtime serve` on a free port, once it is ready.

    Args:
        module: another server that says that it is ready as this one does, with its first arguments.
        core: that it and its children run on; None: on any.

    Raises:
        RuntimeError: it ended before; with all that it said.
    """
    command = [sys.executable, "-m", *module, "--port", "0", *options]
    with _pinned(core):
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
        yield Served(found[1], server.pid)
    finally:
        server.terminate()
        try:
            server.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@contextmanager
def _pinned(core: int | None) -> Iterator[None]:
    """What is started meanwhile runs on this core alone: a child begins where its parent runs."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
