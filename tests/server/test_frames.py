"""Frames that go straight to who reads them: in order, none lost, and none while the reader pauses."""

import asyncio
import contextlib
import functools
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from socket import create_server

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect

from realtime.server.frames import EXTENSION, Reader
from realtime.server.serving import server_config
from realtime.server.settings import ServerSettings
from realtime.server.transport import WebSocketTransport

PATIENCE = 20.0


class Pausing:
    """A reader that pauses as it is told."""

    def __init__(self, wait: float | None = None) -> None:
        self.frames: list[str | bytes] = []
        self.wait = wait
        self.asked = 0

    def receive(self, frame: str | bytes) -> None:
        self.frames.append(frame)

    def pause(self) -> float | None:
        self.asked += 1
        return self.wait


class TakingOne(Pausing):
    """Takes one, and then pauses."""

    def receive(self, frame: str | bytes) -> None:
        super().receive(frame)
        self.wait = 0.01


class Fair(Pausing):
    """Lets the others have their turn before each frame."""

    def pause(self) -> float | None:
        super().pause()
        return 0.0 if self.asked % 2 else None


Place = tuple[ClientConnection, asyncio.Event]


@contextlib.asynccontextmanager
async def served(
    reader: Reader,
    *,
    begin: asyncio.Event | None = None,
    transport: type[WebSocketTransport] = WebSocketTransport,
) -> AsyncIterator[Place]:
    """A client of a server that gives `reader` its frames, once `begin` is set; and when it has left."""
    left = asyncio.Event()

    async def serve(socket: WebSocket) -> None:
        await socket.accept()
        if begin:
            await begin.wait()
        assert EXTENSION in socket.scope["extensions"]
        await transport(socket).read(reader)
        left.set()

    app = Starlette(routes=[WebSocketRoute("/", serve)])
    server = uvicorn.Server(server_config(app, ServerSettings(port=0)))
    listener = create_server(("127.0.0.1", 0))
    # In this loop, so that what the reader is told is known.
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


def on_uvloop(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """The loop that the server runs on: another reads sockets in another way."""

    @functools.wraps(test)
    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(asyncio.wait_for(test(), 2 * PATIENCE))

    return run


@on_uvloop
async def test_all_come_in_order_those_that_came_before_their_reader_too() -> None:
    reader, begin = Pausing(), asyncio.Event()
    async with served(reader, begin=begin) as (client, left):
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
        await client.close()
        await asyncio.wait_for(left.wait(), PATIENCE)


@on_uvloop
async def test_a_frame_that_comes_alone_needs_no_task() -> None:
    """It is there before the task that waits in `receive` has had a turn."""
    reader = Pausing()
    turns: list[int] = []

    class Watched(WebSocketTransport):
        async def _next(self):
            message = await super()._next()
            turns.append(1)
            return message

    async with served(reader, transport=Watched) as (client, left):
        for number in range(20):
            await client.send(f"{number}")
            await until(lambda number=number: len(reader.frames) == number + 1)
        assert len(turns) <= 1, "but for the first, which may have come before there was a reader"
        await client.close()
        await asyncio.wait_for(left.wait(), PATIENCE)


@on_uvloop
async def test_nothing_comes_while_the_reader_pauses_and_all_of_it_after() -> None:
    reader = Pausing(0.01)
    async with served(reader) as (client, _):
        numbers = [f"{number}" for number in range(50)]
        for number in numbers:
            await client.send(number)
        await until(lambda: reader.asked > 10)
        assert reader.frames == []
        reader.wait = None
        await until(lambda: len(reader.frames) == 50)
        assert reader.frames == numbers
        await client.send("and on")
        await until(lambda: reader.frames[-1] == "and on")


@on_uvloop
async def test_a_client_is_not_read_while_its_reader_pauses() -> None:
    """What it sends fills its own buffers, not the server's memory."""
    reader = Pausing(0.01)
    async with served(reader) as (client, _):
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


@on_uvloop
async def test_a_pause_of_nothing_gives_the_others_their_turn() -> None:
    reader = Fair()
    turns: list[int] = []
    async with served(reader) as (client, _):

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


@on_uvloop
async def test_a_client_is_heard_to_leave_and_to_live_while_its_reader_pauses() -> None:
    """As long as no frame waits, all else is read."""
    reader = TakingOne()
    async with served(reader) as (client, left):
        await client.send("one")
        await until(lambda: reader.frames == ["one"])
        assert await (await client.ping()) >= 0
        client.transport.abort()
        await asyncio.wait_for(left.wait(), PATIENCE)
    assert reader.frames == ["one"]


@on_uvloop
async def test_what_was_sent_before_a_close_is_all_given() -> None:
    reader, begin = Fair(), asyncio.Event()
    async with served(reader, begin=begin) as (client, left):
        for number in range(200):
            await client.send(f"{number}")
        begin.set()
        await client.close()
        await asyncio.wait_for(left.wait(), PATIENCE)
    assert reader.frames == [f"{number}" for number in range(200)]


@on_uvloop
async def test_a_client_that_has_left_before_there_was_a_reader_is_gone() -> None:
    reader, begin = Pausing(), asyncio.Event()
    async with served(reader, begin=begin) as (client, left):
        await client.send("one")
        client.transport.abort()
        await asyncio.sleep(0.1)
        begin.set()
        assert await asyncio.wait_for(left.wait(), PATIENCE)
