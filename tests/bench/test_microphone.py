"""Sound over a real WebSocket, framed once for all clients."""

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from realtime.bench.microphone import Microphone, framed

PIECES = ["short", "ö" * 70, "x" * 70_000]


def test_what_is_sent_arrives_in_order_with_what_the_socket_sends():
    async def hold() -> list[str]:
        heard: list[str] = []

        async def listen(socket):
            heard.extend([message async for message in socket])

        async with serve(listen, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            for _ in range(2):
                async with connect(f"ws://127.0.0.1:{port}", compression=None) as socket:
                    microphone = Microphone(socket)
                    for piece in PIECES:
                        await microphone.send(piece)
                        await socket.send("between")
        return heard

    assert asyncio.run(hold()) == [each for piece in PIECES for each in (piece, "between")] * 2
    assert framed(PIECES[0]) is framed(PIECES[0])


def test_a_closed_socket_says_so():
    async def hold() -> None:
        async with serve(lambda socket: socket.close(4000, "enough"), "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}", compression=None) as socket:
                await socket.wait_closed()
                with pytest.raises(ConnectionClosed, match="enough"):
                    await Microphone(socket).send("sound")

    asyncio.run(hold())
