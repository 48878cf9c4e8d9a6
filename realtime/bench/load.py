"""The sessions of a load test, in processes of their own: each tells once a second what its clients met."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import orjson
from uvicorn.loops.auto import auto_loop_factory
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from realtime.bench.address import any_certificate
from realtime.bench.caller import Caller, Speech
from realtime.bench.figures import Figures, Told
from realtime.bench.microphone import Microphone
from realtime.bench.plans import Timetable

_PATIENCE_S = 30.0
"""How long a server may take to open a session."""
_GOLDEN = 0.618033988749895
"""Its multiples lie evenly spread, however many there are."""
_BEGIN_S = 0.2
TELLS_S = 1.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is done to a server. Times are seconds.

    Attributes:
        sessions: conversations at once; `idle` more are open and send nothing.
        ramp: over which the sessions are opened, evenly.
        seconds: all of them talk for, once they are open.
        speeches: recordings; the sessions take them in turn.
        every: from one question to the next, whether or not it was answered.
        interrupts: each nth answer is interrupted, `after` so long; 0: none is.
        settings: more of the session, as `session.update` takes it.
        probe_s: each conversation sends an event there and back so often; 0: none does.
        key: shown as a bearer token.
        insecure: any certificate will do.
    """

    url: str
    sessions: int
    speeches: tuple[Speech, ...]
    idle: int = 0
    ramp: float = 0.0
    seconds: float = 60.0
    every: float = 12.0
    interrupts: int = 0
    after: float = 1.0
    manual: bool = False
    settings: dict[str, Any] | None = None
    probe_s: float = 0.0
    key: str | None = None
    insecure: bool = False


class Clients:
    """The processes, and what is heard of them."""

    def __init__(self, load: Load, processes: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for index in range(processes):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_run,
                args=(load, index, processes, theirs),
                name=f"clients-{index}",
                daemon=True,
            )
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        # Nobody begins before all are there, on a clock that all processes share.
        for pipe in self._pipes:
            pipe.recv()
        begin = time.monotonic() + _BEGIN_S
        self.until = begin + load.ramp + load.seconds
        for pipe in self._pipes:
            pipe.send(begin)

    def hear(self, seconds: float) -> list[Told] | None:
        """What was told within so many seconds, at most one of each process; None once all have ended."""
        if not self._pipes:
            return None
        told: list[Told] = []
        deadline = time.monotonic() + seconds
        while self._pipes and (left := deadline - time.monotonic()) > 0:
            for pipe in multiprocessing.connection.wait(self._pipes, left):
                assert isinstance(pipe, Connection)
                try:
                    told.append(pipe.recv())
                except EOFError:
                    self._pipes.remove(pipe)
        return told

    def stop(self) -> None:
        """Let them end now; what they still tell is to be heard."""
        for pipe in self._pipes:
            pipe.send(None)

    def close(self) -> None:
        """End those that have not ended."""
        for process in self._processes:
            process.join(5)
            if process.is_alive():
                process.kill()


def _run(load: Load, index: int, processes: int, pipe: Connection) -> None:
    # Ctrl-C reaches the whole group; when to end is the first process's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe.send(None)
    begin = pipe.recv()
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        runner.run(_Process(load, begin, pipe).run(range(index, load.sessions + load.idle, processes)))


class _Process:
    """Some of the sessions."""

    def __init__(self, load: Load, begin: float, pipe: Connection) -> None:
        self._load, self._pipe = load, pipe
        self._begin = begin
        self._figures = Figures()

    async def run(self, indices: range) -> None:
        """Hold them all."""
        sessions = asyncio.gather(*(self._session(index) for index in indices))
        telling = asyncio.create_task(self._tell(sessions))
        await asyncio.wait([sessions])
        telling.cancel()
        self._pipe.send(self._figures.tell())

    async def _tell(self, sessions: asyncio.Future[Any]) -> None:
        while True:
            await asyncio.sleep(TELLS_S)
            self._pipe.send(self._figures.tell())
            if self._pipe.poll():
                sessions.cancel()
                return

    async def _session(self, index: int) -> None:
        load, figures = self._load, self._figures
        count = load.sessions + load.idle
        await asyncio.sleep(self._begin + load.ramp * index / count - time.monotonic())
        headers = {"Authorization": f"Bearer {load.key}"} if load.key else None
        begin = time.monotonic()
        secure: Any = {"ssl": any_certificate()} if load.insecure else {}
        try:
            # Speech does not deflate.
            async with connect(
                load.url,
                additional_headers=headers,
                compression=None,
                max_size=None,
                open_timeout=_PATIENCE_S,
                **secure,
            ) as socket:
                async with asyncio.timeout(_PATIENCE_S):
                    await self._created(socket)
                figures.add("connect", time.monotonic() - begin)
                figures.counts["opened"] += 1
                try:
                    await self._talk(socket, index)
                finally:
                    figures.counts["closed"] += 1
        except _RefusedError as error:
            figures.failed(str(error))
        except ConnectionClosed as error:
            reason = error.rcvd.reason if error.rcvd else ""
            code = error.rcvd.code if error.rcvd else 1006
            figures.failed(f"closed_{code}{f' ({reason})' if reason else ''}")
        except TimeoutError:
            figures.failed("connect_timeout")
        except (OSError, WebSocketException) as error:
            figures.failed(f"connect_failed ({type(error).__name__})")

    async def _created(self, socket: ClientConnection) -> None:
        event = orjson.loads(await socket.recv())
        if event["type"] == "error":
            raise _RefusedError(event["error"].get("code") or event["error"]["type"])

    async def _talk(self, socket: ClientConnection, index: int) -> None:
        load = self._load
        until = self._begin + load.ramp + load.seconds
        if index >= load.sessions:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(until - time.monotonic()):
                    while True:
                        await socket.recv()
            return
        # Neighbours ask at different times, also where all were opened at once.
        now = time.monotonic()
        first = now + load.every * (index * _GOLDEN % 1.0)
        caller = Caller(
            socket,
            load.speeches[index % len(load.speeches)],
            Timetable(first, load.every, interrupts=load.interrupts, after=load.after),
            self._figures,
            manual=load.manual,
            settings=load.settings,
            probe_s=load.probe_s,
            send_sound=Microphone(socket).send,
        )
        await caller.talk(until)


class _RefusedError(Exception):
    """The server told a code in place of a session."""
