"""Keeps a process that hosts SGLang alive, for the thread that the frame loop runs in.

The frame loop never waits for a socket: a thread of the keeper's own holds it, and hands out what comes.
When the host dies, that is handed out as well, and another is started.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from engine.api import EngineError
from engine.processes import alive, spawn
from engine.sglang.messages import Launch, Launched, NotLaunched, Over, Said, ToHost, Weighed
from engine.wire import pack, receive

log = logging.getLogger(__name__)

FIRST_DELAY = 0.25
"""Seconds before a host that died is started again; doubled after each failure."""
LONGEST_DELAY = 30.0
_GONE = 10.0
"""Seconds in which all processes of a host's have to be gone that were killed."""

HOST = "engine.sglang.host"


@dataclass(frozen=True, slots=True)
class Died:
    """The host has died: nothing that it was asked for will come."""


Received = Said | Weighed | Over | Died


class Keeper:
    """Starts the host when it is made, and waits until SGLang serves.

    Args:
        launch: what a host is to start; asked for each one anew, in a thread.
        environment: of the host, beside this process's own.
        take: is given whatever comes of a host, in the keeper's thread.
        module: what is run as the host.

    Raises:
        EngineError: the one that the host raised, or `reasoner_start_failed` if it just ended.
    """

    def __init__(
        self,
        launch: Callable[[], Launch],
        environment: Mapping[str, str],
        take: Callable[[Received], None],
        *,
        module: str = HOST,
    ) -> None:
        self._launch, self._environment, self._module, self._take = launch, environment, module, take
        self._writer: asyncio.StreamWriter | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._up = threading.Event()
        self._why_down = "the language model is not running"
        opened: Future[Launched] = Future()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, args=(opened,), name="sglang-keeper", daemon=True)
        self._thread.start()
        try:
            self.launched = opened.result()
        except BaseException:
            self._thread.join()
            raise

    @property
    def pid(self) -> int | None:
        """The host's process id; None while there is none."""
        return self._process.pid if self._process else None

    def recovered(self, timeout: float) -> bool:
        """Wait until a host serves, at most so many seconds."""
        return self._up.wait(timeout)

    def check_up(self) -> None:
        """Raises EngineError `reasoner_restarting` where no host serves."""
        if not self._up.is_set():
            raise EngineError("reasoner_restarting", self._why_down)

    def post(self, make: Callable[[], ToHost], lost: Callable[[EngineError], None]) -> None:
        """Make a message in the keeper's thread, and send it there; `lost` where there is no host by then.
        Does not wait for either. To a host that has just died it goes nowhere: `Died` follows."""
        self._loop.call_soon_threadsafe(self._send, make, lost)

    def close(self) -> None:
        """End the host; the second time there is none."""
        if self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._hang_up)
        self._thread.join()

    def _send(self, make: Callable[[], ToHost], lost: Callable[[EngineError], None]) -> None:
        if self._writer is None or not self._up.is_set():
            lost(EngineError("reasoner_restarting", self._why_down))
        else:
            self._writer.write(pack(make()))

    def _hang_up(self) -> None:
        if self._writer is not None:
            self._writer.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()

    def _run(self, opened: Future[Launched]) -> None:
        try:
            with contextlib.suppress(asyncio.CancelledError):
                self._loop.run_until_complete(self._keep(opened))
        finally:
            self._end_host()
            self._loop.close()

    async def _keep(self, opened: Future[Launched]) -> None:
        """Start a host and listen to it; when it dies, start another, until `close`."""
        try:
            reader, launched = await self._start()
        except BaseException as error:
            opened.set_exception(error)
            return
        opened.set_result(launched)
        while True:
            self._up.set()
            await self._listen(reader)
            began = time.monotonic()
            self._up.clear()
            self._why_down = "the language model's process ended and is being started again; try again soon"
            self._take(Died())
            log.error("SGLang's process ended; it is started again")
            reader = await self._restart()
            log.info("SGLang serves again, after %.0f s", time.monotonic() - began)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(EOFError):
            while True:
                came = await receive(reader)
                assert isinstance(came, list)
                for each in came:
                    self._take(each)

    async def _restart(self) -> asyncio.StreamReader:
        delay = FIRST_DELAY
        while True:
            await asyncio.to_thread(self._end_host)
            await asyncio.sleep(delay)
            try:
                return (await self._start())[0]
            except EngineError as error:
                delay = min(2 * delay, LONGEST_DELAY)
                log.error("SGLang cannot be started, next try in %.1f s: %s", delay, error.message)
                self._why_down = f"the language model's process ended and cannot be started: {error.message}"

    async def _start(self) -> tuple[asyncio.StreamReader, Launched]:
        launch = await asyncio.to_thread(self._launch)
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = spawn(self._module, theirs, self._environment, alone=True)
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        self._writer.write(pack(launch))
        try:
            message = await receive(reader)
        except EOFError:
            raise EngineError(
                "reasoner_start_failed", "SGLang's process ended before it was ready; its log is above"
            ) from None
        if isinstance(message, NotLaunched):
            raise EngineError(message.code, message.message)
        assert isinstance(message, Launched)
        return reader, message

    def _end_host(self) -> None:
        """Kill the host with all processes that it started, and wait until they are gone: a GPU's memory is
        free again only then."""
        if self._process is None:
            return
        host, self._process = self._process, None
        deadline = time.monotonic() + _GONE
        with contextlib.suppress(ProcessLookupError):
            os.killpg(host.pid, signal.SIGKILL)
        while (host.poll() is None or alive(host.pid)) and time.monotonic() < deadline:
            time.sleep(0.02)
        if left := alive(host.pid):
            log.warning("processes %s of SGLang's are still there though they were killed", left)
