"""One child process that runs `engine.worker`, from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from engine.api import EngineError
from engine.processes import spawn
from engine.settings import EngineSettings
from engine.wire import Ready, Refused, ToChild, pack, receive

GRACE = 5.0
"""Seconds between asking a child to end and killing it."""


class AnyChild(Protocol):
    """What serves an open engine, wherever it runs; see `Child`."""

    model: str
    pid: int

    def send(self, message: ToChild) -> None: ...

    async def receive(self) -> object | None: ...

    def kill(self) -> None: ...

    async def end(self) -> str: ...


Start = Callable[[EngineSettings], Awaitable[AnyChild]]
"""Starts a child with these settings; raises EngineError where that cannot be."""


class Child:
    """A started child that serves an open engine, listed as `model`."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        model: str,
    ) -> None:
        self.model = model
        self.pid = process.pid
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls, settings: EngineSettings) -> Child:
        """Start a child and wait, however long it takes, until its engine is open.

        Raises:
            EngineError: the one that the engine raised, or `engine_start_failed` if the child just ended.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            process = spawn("engine.worker", theirs, visible(settings.gpus, os.environ))
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        try:
            writer.write(pack(settings))
            message = await receive(reader)
        except EOFError:
            writer.close()
            how = await _reap(process)
            raise EngineError(
                "engine_start_failed", f"the engine's process {how} before it was ready; its log is above"
            ) from None
        except BaseException:
            writer.close()
            process.kill()
            process.wait()
            raise
        if isinstance(message, Refused):
            writer.close()
            await _reap(process)
            raise EngineError(message.code, message.message)
        assert isinstance(message, Ready)
        return cls(process, reader, writer, message.model)

    def send(self, message: ToChild) -> None:
        """Send without waiting. To a child that has just died it goes nowhere."""
        self._writer.write(pack(message))

    async def receive(self) -> object | None:
        """The child's next message; None once it has gone."""
        try:
            return await receive(self._reader)
        except EOFError:
            return None

    def kill(self) -> None:
        """End it at once, whatever it hangs on; `receive` then returns None."""
        self._process.kill()

    async def end(self) -> str:
        """End the child if it has not ended; returns how it ended, to follow "the engine's process"."""
        self._writer.close()
        return await _reap(self._process)


def visible(gpus: Sequence[int], environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process that sees these GPUs alone, counted among those that this one sees; none:
    it sees the same ones.

    Raises:
        EngineError: `device_unavailable`.
    """
    if not gpus:
        return {}
    seen = environment.get("CUDA_VISIBLE_DEVICES")
    names = seen.split(",") if seen else None
    if names is not None and max(gpus) >= len(names):
        raise EngineError(
            "device_unavailable",
            f"--gpus asks for GPU {max(gpus)}, and CUDA_VISIBLE_DEVICES is {seen}",
        )
    return {"CUDA_VISIBLE_DEVICES": ",".join(names[gpu] if names else str(gpu) for gpu in gpus)}


async def _reap(process: subprocess.Popen[bytes]) -> str:
    """Terminate, after a grace kill, and say how it ended."""
    if process.poll() is None:
        # It may be ending by itself, and then how it did is worth more than our signal.
        await _wait(process, 0.2)
    if process.poll() is None:
        process.terminate()
        await _wait(process, GRACE)
    if process.poll() is None:
        process.kill()
        await asyncio.to_thread(process.wait)
    code = process.returncode
    if code >= 0:
        return f"ended with exit code {code}"
    hint = " (out of memory?)" if code == -signal.SIGKILL else ""
    return f"was ended by {signal.Signals(-code).name}{hint}"


async def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        await asyncio.to_thread(process.wait, seconds)
