"""Frames that go straight to who reads them: in order, none lost, and none while the reader pauses."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from realtime.server.frames import EXTENSION, Reader
from realtime.server.serving import server_config
from realtime.server.settings import ServerSettings

PATIENCE = 20.0


class Pausing:
    """A reader that pauses as it is told."""

    def __init__(self) -> None:
        self.frames: list[str | bytes] = []
        self.wait: float | None = None
        self.asked = 0

    def receive(self, frame: str | bytes) -> None:
        self.frames.append(frame)

    def pause(self) -> float | None:
        self.asked += 1
        return self.wait


Place = tuple[ClientConnection, asyncio.Event]


@contextlib.asynccontextmanager
async def served(reader: Reader, begin: asyncio.Event) -> AsyncIterator[Place]:
    """A client of an app that lets `reader` have its frames once `begin` is set; and when it has left."""
    left = asyncio.Event()

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await begin.wait()
        scope["extensions"][EXTENSION](reader)
        while (await receive())["type"] != "websocket.disconnect":
            raise AssertionError("a frame went past its reader")
        left.set()

    config = server_config(app, ServerSettings(port=0))  # type: ignore[arg-type]
    config.lifespan = "off"
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    # In this loop, so that what the reader is told is known; its signals are the tests' own.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        address = f"ws://127.0.0.1:{listener.getsockname()[1]}"
        async with connect(address, compression=None, close_timeout=1) as client:
            yield client, left
    finally:
        server.should_exit = True
        await serving


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - who reads signals nothing
            await asyncio.sleep(0.005)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 2 * PATIENCE))


def test_all_come_in_order_those_that_came_before_their_reader_too():
    async def test() -> None:
        reader, begin = Pausing(), asyncio.Event()
        async with served(reader, begin) as (client, left):
            await client.send("early")
            await client.send(b"\0")
            await asyncio.sleep(0.1)
            assert reader.frames == []
            begin.set()
            await until(lambda: reader.frames == ["early", b"\0"])
            # In fragments, and many at once.
            await client.send(["a ", "long ", "one"])
            for number in range(500):
                await client.send(f"{number}")
            await until(lambda: len(reader.frames) == 503)
            assert reader.frames[2:] == ["a long one", *map(str, range(500))]
            assert reader.asked == 503
            await client.close()
            await asyncio.wait_for(left.wait(), PATIENCE)

    run(test)


def test_nothing_comes_while_the_reader_pauses_and_all_of_it_after():
    async def test() -> None:
        reader, begin = Pausing(), asyncio.Event()
        begin.set()
        async with served(reader, begin) as (client, _):
            reader.wait = 0.01
            numbers = [f"{number}" for number in range(50)]
            for number in numbers:
                await client.send(number)
            # The first, after which it was asked; then it is asked again and again.
            await until(lambda: reader.asked > 10)
            assert reader.frames == ["0"]
            reader.wait = None
            await until(lambda: len(reader.frames) == 50)
            assert reader.frames == numbers
            await client.send("and on")
            await until(lambda: reader.frames[-1] == "and on")

    run(test)


def test_a_client_is_not_read_while_its_reader_pauses():
    """What it sends fills its own buffers, not the server's memory."""

    async def test() -> None:
        reader, begin = Pausing(), asyncio.Event()
        begin.set()
        reader.wait = 0.01
        async with served(reader, begin) as (client, _):
            piece = "x" * 100_000
            sent = 0

            async def flood() -> None:
                nonlocal sent
                for _ in range(1000):
                    await client.send(piece)
                    sent += 1

            flooding = asyncio.create_task(flood())
            await until(lambda: reader.asked > 100)
            before = sent
            await until(lambda: reader.asked > 150)
            assert sent == before < 200
            reader.wait = None
            await until(lambda: sent == len(reader.frames) == 1000)
            await flooding

    run(test)


def test_a_pause_of_nothing_gives_the_others_their_turn():
    class Fair(Pausing):
        def pause(self) -> float | None:
            super().pause()
            # Asked twice of each frame: it pauses, and then it does not.
            return 0.0 if self.asked % 2 else None

    async def test() -> None:
        reader, begin = Fair(), asyncio.Event()
        begin.set()
        turns: list[int] = []
        async with served(reader, begin) as (client, _):

            async def other() -> None:
                while len(reader.frames) < 300:
                    turns.append(len(reader.frames))
                    await asyncio.sleep(0)

            taking = asyncio.create_task(other())
            for number in range(300):
                await client.send(f"{number}")
            await until(lambda: len(reader.frames) == 300)
            await taking
        assert all(after - before <= 1 for before, after in itertools.pairwise(turns))

    run(test)


def test_a_client_that_leaves_in_a_pause_is_gone():
    async def test() -> None:
        reader, begin = Pausing(), asyncio.Event()
        begin.set()
        reader.wait = 0.01
        async with served(reader, begin) as (client, left):
            await client.send("one")
            await client.send("two")
            await until(lambda: reader.asked > 3)
            client.transport.abort()
            reader.wait = None
            await asyncio.wait_for(left.wait(), PATIENCE)

    run(test)
