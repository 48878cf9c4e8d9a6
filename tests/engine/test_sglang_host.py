"""The host's own part, with an SGLang that says what it is told to."""

import asyncio
import pickle
from types import SimpleNamespace

from engine.sglang.host import Host
from engine.sglang.messages import Answer, Over, Said, Stop
from engine.sglang.names import ROWS
from engine.wire import pack

ENDLESS, REFUSED, BROKEN = 1, 2, 3


class Writer:
    def __init__(self):
        self.sent = []

    def write(self, message):
        # Behind the eight bytes of its length.
        self.sent += pickle.loads(message[8:])


class SGLang:
    def __init__(self):
        self.aborted = []
        self.tokenizer_manager = SimpleNamespace(abort_request=self.aborted.append)

    async def async_generate(self, *, input_ids, rid, **_):
        return self.chunks(input_ids[0])

    async def chunks(self, kind):
        meta = {ROWS: [b"row"], "cached_tokens": 4, "num_retractions": 0, "finish_reason": None}
        if kind == REFUSED:
            yield {
                "meta_info": {**meta, "finish_reason": {"type": "abort", "message": "too long"}},
                "output_ids": [],
            }
        if kind == BROKEN:
            raise RuntimeError("no such kernel")
        yield {"meta_info": meta, "output_ids": [9]}
        await asyncio.Event().wait()


def hosted(*asked):
    """What a host sends to the messages asked, all of which come in one read."""

    async def run():
        sglang, writer, reader = SGLang(), Writer(), asyncio.StreamReader()
        for message in asked:
            reader.feed_data(pack(message))
        serving = asyncio.create_task(Host(sglang, writer).serve(reader))
        for _ in range(20):
            await asyncio.sleep(0)
        serving.cancel()
        return list(writer.sent), list(sglang.aborted)

    return asyncio.run(run())


def answer(name, kind):
    return Answer(name, [kind], (), (), -1, 5)


def test_what_is_stopped_before_it_began_is_over_too():
    sent, aborted = hosted(answer("a", ENDLESS), Stop("a"), answer("b", ENDLESS))
    assert [each for each in sent if each.id == "a"] == [Over("a", "it was stopped")]
    assert Said("b", (9,), (b"row",), 4) in sent
    assert aborted == []


def test_what_fails_is_over_and_says_why():
    sent, _ = hosted(answer("refused", REFUSED), answer("broken", BROKEN))
    assert {(each.id, each.error) for each in sent} == {
        ("refused", "too long"),
        ("broken", "RuntimeError: no such kernel"),
    }


def test_a_stop_of_what_is_over_or_was_never_there_hurts_nobody():
    sent, _ = hosted(Stop("x"), answer("refused", REFUSED), answer("b", ENDLESS), Stop("x"))
    assert Said("b", (9,), (b"row",), 4) in sent
