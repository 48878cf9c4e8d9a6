"""The child's side of the socket, with engines that do what echo never does."""

import asyncio
import socket

from asking import PATIENCE, run, said

from engine import Engine, Finished, TextDelta
from engine.wire import Answered, Cancel, Respond, pack, receive
from engine.worker import Worker


class Breaking(Engine):
    """Fails in the middle of an answer, in a way that no engine should."""

    model = "breaking"

    async def open(self):
        pass

    async def close(self):
        pass

    async def respond(self, request):
        yield TextDelta("so far")
        raise ZeroDivisionError("oops")

    async def cancel(self, request_id):
        pass

    async def forget(self, audio_ids):
        pass

    async def voices(self):
        return []


class BeginsAtFirstRead(Breaking):
    """Knows an answer only once it is read, as any async generator does."""

    def __init__(self):
        self.stops = {}

    async def respond(self, request):
        stop = self.stops[request.id] = asyncio.Event()
        await stop.wait()
        yield Finished("cancelled")

    async def cancel(self, request_id):
        if request_id in self.stops:
            self.stops[request_id].set()


async def exchange(engine: Engine, *messages, replies: int) -> list:
    """What a worker says to messages that arrive in one piece, up to `replies` of them."""
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_unix_connection(sock=theirs)
    our_reader, our_writer = await asyncio.open_unix_connection(sock=ours)
    serving = asyncio.ensure_future(Worker(engine, writer).serve(reader))
    our_writer.write(b"".join(map(pack, messages)))
    said = [await asyncio.wait_for(receive(our_reader), PATIENCE) for _ in range(replies)]
    our_writer.close()
    await asyncio.wait_for(serving, PATIENCE)
    writer.close()
    return said


def test_an_engine_that_breaks_fails_one_answer_and_serves_on():
    async def check():
        replies = await exchange(Breaking(), Respond(1, said("a")), Respond(2, said("b")), replies=4)
        for key in (1, 2):
            text, end = [reply.event for reply in replies if reply.key == key]
            assert text == TextDelta("so far")
            assert (end.reason, end.code) == ("failed", "engine_error")
            assert "oops" in end.message

    run(check())


def test_a_cancel_right_behind_its_request_is_not_lost():
    async def check():
        replies = await exchange(BeginsAtFirstRead(), Respond(7, said("a")), Cancel(7), Cancel(8), replies=1)
        assert replies == [Answered(7, Finished("cancelled"))]

    run(check())
