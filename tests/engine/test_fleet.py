"""Several engines in processes of their own behind one wall: placed by load, one death at a time."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from asking import PATIENCE, first_word, pcm, run, said, user, whole

from engine import Audio, EngineError, EngineSettings, Request
from engine.child import visible
from engine.factory import ECHO_PACE, create
from engine.fleet import FleetEngine, parted
from engine.stats import EngineStats, Lives


@asynccontextmanager
async def opened(settings: EngineSettings):
    fleet = create(replace(settings, gpus=(0, 1), device="cpu"))
    assert isinstance(fleet, FleetEngine)
    await asyncio.wait_for(fleet.open(), PATIENCE)
    try:
        yield fleet
    finally:
        await fleet.close()


def places(fleet: FleetEngine) -> list[int]:
    return [len(engine._answers) for engine in fleet._engines]


def test_answers_are_spread_and_a_conversation_stays(settings, monkeypatch):
    monkeypatch.setenv(ECHO_PACE, "0.001")

    async def check():
        async with opened(settings) as fleet:
            answers = [fleet.respond(said("hello there", f"r{n}", conversation=f"c{n}")) for n in range(4)]
            for answer in answers:
                await first_word(answer)
            assert places(fleet) == [2, 2]
            again = [fleet.respond(said("hello there", f"s{n}", conversation="c0")) for n in range(3)]
            for answer in again:
                await first_word(answer)
            assert places(fleet) == [5, 2]
            for number in range(3):
                await fleet.cancel(f"s{number}")
                assert (await whole(again[number]))[2].reason == "cancelled"
            assert places(fleet) == [2, 2]
            for answer in answers:
                await answer.aclose()
            assert places(fleet) == [0, 0]

    run(check())


def test_an_answer_that_nobody_reads_counts_for_nothing(settings):
    async def check():
        async with opened(settings) as fleet:
            answer = fleet.respond(said("hello", "r", conversation="c"))
            assert [len(running) for running in fleet._running] == [1, 0]
            del answer
            assert [len(running) for running in fleet._running] == [0, 0]

    run(check())


def test_an_engine_that_dies_takes_its_answers_and_no_conversation(settings):
    async def check():
        async with opened(settings) as fleet:
            dead = fleet._engines[0]
            # It says nothing more, and so cannot be done before it dies.
            os.kill(dead.pid, signal.SIGSTOP)
            sound = pcm(0.8)
            one, two = (
                fleet.respond(Request(f"r{n}", (user(Audio(f"a{n}", sound)),), conversation=f"c{n}"))
                for n in range(2)
            )
            assert places(fleet) == [1, 1]
            _, heard, end = await whole(two)
            assert (heard, end.reason) == (sound, "completed")
            os.kill(dead.pid, signal.SIGKILL)
            assert (await whole(one))[2].code == "engine_died"
            # The next answer of that conversation comes from the other, its sound and all.
            again = Request("r3", (user(Audio("a0", sound)),), conversation="c0")
            _, heard, end = await whole(fleet.respond(again))
            assert (heard, end.reason) == (sound, "completed")
            await asyncio.wait_for(dead.recovered(), PATIENCE)
            assert [engine.up for engine in fleet._engines] == [True, True]

    run(check())


def test_what_is_counted_never_goes_down():
    lives = Lives()
    first = EngineStats(slots=2, speaking=1, frames=100, steps={"a": (5, 1)}, starts=1)
    assert lives.add(first) == first
    dead = lives.ended()
    assert (dead.slots, dead.speaking, dead.frames, dead.starts) == (0, 0, 100, 1)
    again = lives.add(EngineStats(slots=2, frames=3, steps={"a": (1, 0)}, starts=2))
    assert (again.slots, again.frames, again.steps, again.starts) == (2, 103, {"a": (6, 1)}, 2)
    assert lives.add(EngineStats(frames=7, starts=2)).frames == 107


def test_sound_is_heard_where_its_conversation_is(settings):
    async def check():
        async with opened(settings) as fleet:
            await whole(fleet.respond(said("hello", "r0", conversation="c0")))
            await whole(fleet.respond(said("hello", "r1", conversation="c1")))
            before = said("hello", "before", conversation="c1")
            await fleet.listen(Audio("s", pcm(0.2)), before)
            await fleet.listen(Audio("s", pcm(0.2)))
            assert [set(engine._sent.arriving) for engine in fleet._engines] == [set(), {"s"}]
            await fleet.forget(["s"])
            assert not fleet._engines[1]._sent.arriving
            await fleet.listen(Audio("s", pcm(0.2)))
            assert [voice.name for voice in await fleet.voices()]

    run(check())


def test_each_engine_has_gpus_of_its_own(settings):
    shared = parted(replace(settings, gpus=(0, 1, 4, 5), tp=2))
    assert [(each.gpus, each.device) for each in shared] == [((0, 1), "cuda"), ((4, 5), "cuda")]
    assert visible((4, 5), {}) == {"CUDA_VISIBLE_DEVICES": "4,5"}
    assert visible((0, 2), {"CUDA_VISIBLE_DEVICES": "3,5,7"}) == {"CUDA_VISIBLE_DEVICES": "3,7"}
    assert visible((), {"CUDA_VISIBLE_DEVICES": "3"}) == {}


@pytest.mark.parametrize(("gpus", "tp"), [((0, 0), 1), ((-1,), 1), ((0, 1, 2), 2)])
def test_gpus_that_cannot_be_shared_out_are_refused(settings, gpus, tp):
    with pytest.raises(EngineError, match="--gpus"):
        parted(replace(settings, gpus=gpus, tp=tp))


def test_gpus_that_are_not_there_are_refused(settings):
    with pytest.raises(EngineError, match="CUDA_VISIBLE_DEVICES"):
        visible((3,), {"CUDA_VISIBLE_DEVICES": "0,1"})


def test_one_that_cannot_start_leaves_none_running(settings, monkeypatch):
    monkeypatch.setenv(ECHO_PACE, "no number")

    async def check():
        fleet = create(replace(settings, gpus=(0, 1), device="cpu"))
        with pytest.raises(EngineError, match=ECHO_PACE):
            await fleet.open()
        assert [engine.pid for engine in fleet._engines] == [None, None]

    run(check())
