"""Processes of ours: how one is started with a socket to its parent, and how it ends with it."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path


def spawn(
    module: str,
    connection: socket.socket,
    environment: Mapping[str, str] | None = None,
    *,
    alone: bool = False,
) -> subprocess.Popen[bytes]:
    """Start `python -m module FD`, which inherits `connection` as descriptor FD.

    Args:
        environment: beside this process's own.
        alone: in a process group of its own, with all that it starts.
    """
    # This very package is first on the child's path, installed or not; -P, so that a folder named `engine`
    # where the user happens to stand is not taken for it.
    root = str(Path(__file__).resolve().parents[1])
    path = os.environ.get("PYTHONPATH")
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, str(connection.fileno())],
        pass_fds=[connection.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=2,  # Whatever a library prints belongs with the logs.
        env={
            **os.environ,
            **(environment or {}),
            "PYTHONPATH": os.pathsep.join([root, path]) if path else root,
        },
        process_group=0 if alone else None,
    )


def end_with(connection: socket.socket, *, group: bool = False) -> None:
    """End this process as soon as the other end of `connection` is closed, whatever else it is doing;
    `group`: with all that it started."""

    def watch() -> None:
        gone = select.poll()
        gone.register(connection.fileno(), 0)
        gone.poll()
        if group:
            end_group()
        os._exit(0)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def end_group() -> None:
    """End this process and all that it started, where it was started `alone`."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def alive(group: int) -> list[int]:
    """Ids of the processes in a process group. Those that have ended and were not waited for are none."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in brackets may hold anything: what follows it is state, parent and group.
            state, _, own = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(own) == group and state not in "ZX":
            found.append(int(stat.parent.name))
    return found
