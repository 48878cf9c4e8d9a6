"""The engine's own process: `python -m engine.worker FD`, started by `engine.process` and by nobody else.

Serves one in-process engine over the socket that it inherits as descriptor FD, and ends with it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace

import psutil

from engine.api import Audio, Engine, EngineError, Event, Finished, Message, Part, Reference, Request
from engine.factory import create
from engine.garbage import settle
from engine.logs import configure
from engine.processes import end_with
from engine.settings import EngineSettings
from engine.wire import (
    Answered,
    AskStats,
    AskTurn,
    AskVoices,
    Cancel,
    Forget,
    FromChild,
    Listen,
    Ready,
    Refused,
    Respond,
    Stats,
    TurnOver,
    Voices,
    pack,
    receive,
)

log = logging.getLogger(__name__)


class Worker:
    """One engine and the socket it is asked over."""

    def __init__(self, engine: Engine, writer: asyncio.StreamWriter) -> None:
        self._engine = engine
        self._writer = writer
        self._sounds: dict[str, bytes] = {}
        self._arriving: dict[str, bytearray] = {}
        """Sounds that are still being spoken, as far as they came."""
        self._ids: dict[int, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._process = psutil.Process()

    async def serve(self, reader: asyncio.StreamReader) -> None:
        """Do what is asked until the parent has gone."""
        while True:
            try:
                message = await receive(reader)
            except EOFError:
                return
            match message:
                case Respond(key, request):
                    # The parent's ids may come again while an old answer of that name is still ending.
                    request = replace(self._complete(request), id=f"{request.id}.{key}")
                    self._ids[key] = request.id
                    self._start(self._answer(key, self._engine.respond(request)))
                    # An engine may begin at the first read: let it, so that a cancel meets a begun answer.
                    await asyncio.sleep(0)
                case Cancel(key):
                    if key in self._ids:
                        await self._engine.cancel(self._ids[key])
                case Listen(audio, before):
                    self._arriving.setdefault(audio.id, bytearray()).extend(audio.pcm)
                    await self._engine.listen(audio, self._complete(before) if before else None)
                case Forget(audio_ids):
                    for audio_id in audio_ids:
                        self._sounds.pop(audio_id, None)
                        self._arriving.pop(audio_id, None)
                    await self._engine.forget(audio_ids)
                case AskVoices(call):
                    self._start(self._reply(call, self._voices(call)))
                case AskTurn(call, audio):
                    self._start(self._reply(call, self._turn_over(call, audio)))
                case AskStats(call):
                    self._start(self._reply(call, self._stats(call)))

    async def send(self, message: FromChild) -> None:
        """Write one message, and wait while the parent is slower than the engine."""
        self._writer.write(pack(message))
        await self._writer.drain()

    def _complete(self, request: Request) -> Request:
        """The request with its sound put back: each sound crosses the socket once."""

        def whole(message: Message) -> Message:
            return replace(message, parts=tuple(map(self._kept, message.parts)))

        voice = request.voice
        if isinstance(voice, Reference):
            voice = replace(voice, pcm=self._sounds.setdefault(voice.id, voice.pcm))
        return replace(request, messages=tuple(map(whole, request.messages)), voice=voice)

    def _kept(self, part: Part) -> Part:
        if not isinstance(part, Audio):
            return part
        if not part.whole:
            return replace(part, pcm=bytes(self._arriving.get(part.id, b"")) + part.pcm)
        arrived = bytes(self._arriving.pop(part.id, b""))
        return Audio(part.id, self._sounds.setdefault(part.id, arrived + part.pcm))

    async def _answer(self, key: int, events: AsyncIterator[Event]) -> None:
        try:
            async for event in events:
                await self.send(Answered(key, event))
        except ConnectionError:
            return  # The parent has gone, and this process is about to follow.
        except Exception as error:
            log.exception("answer %s broke", self._ids[key])
            broken = Finished("failed", code="engine_error", message=f"the answer failed: {error}")
            await self.send(Answered(key, broken))
        finally:
            del self._ids[key]

    async def _voices(self, call: int) -> FromChild:
        return Voices(call, await self._engine.voices())

    async def _turn_over(self, call: int, audio: Audio) -> FromChild:
        return TurnOver(call, await self._engine.turn_over(audio))

    async def _stats(self, call: int) -> FromChild:
        process = self._process
        cpu = process.cpu_times()
        stats = await self._engine.stats()
        used = {"cpu_seconds": cpu.user + cpu.system, "memory_bytes": process.memory_info().rss}
        return Stats(call, replace(stats, **used))

    async def _reply(self, call: int, reply: Coroutine[None, None, FromChild]) -> None:
        try:
            await self.send(await reply)
        except EngineError as error:
            await self.send(Refused(error.code, error.message, call))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def run(connection: socket.socket) -> None:
    """Open the engine that the first message asks for, say so, and serve it."""
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    settings = await receive(reader)
    assert isinstance(settings, EngineSettings)
    configure(settings.logs, "engine")
    try:
        engine = create(replace(settings, in_process=True))
        await engine.open()
    except EngineError as error:
        writer.write(pack(Refused(error.code, error.message)))
        writer.close()
        await writer.wait_closed()
        return
    settle()
    worker = Worker(engine, writer)
    await worker.send(Ready(engine.model))
    await worker.serve(reader)


def main() -> None:
    # Ctrl-C reaches the whole process group; when to end is the parent's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure("plain", "engine")
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.set_inheritable(False)
    end_with(connection)
    asyncio.run(run(connection))
    # An engine's threads hold nothing that is worth waiting for.
    os._exit(0)


if __name__ == "__main__":
    main()
