"""A fleet that grows and shrinks, its engines real processes of this machine."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from asking import PATIENCE, first_word, run, said, whole

from engine import EngineError, EngineSettings
from engine.child import Child
from engine.elastic import ElasticFleet
from engine.factory import ECHO_PACE
from engine.process import ProcessEngine
from engine.scaling import Bounds, Phase

ROOM = 4


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr("engine.elastic.EVERY_S", 0.05)
    monkeypatch.setenv(ECHO_PACE, "0.1")


@asynccontextmanager
async def opened(settings: EngineSettings, start=None, idle_s: float = 0.2):
    engines = [ProcessEngine(replace(settings, slots=ROOM), start) for _ in range(2)]
    fleet = ElasticFleet(engines, Bounds(1, 2, idle_s), ROOM)
    await fleet.open()
    try:
        yield fleet
    finally:
        await fleet.close()
        assert [engine.pid for engine in engines] == [None, None]


async def until(true) -> None:
    async with asyncio.timeout(PATIENCE):
        for _ in iter(true, True):
            await asyncio.sleep(0.02)


def places(fleet: ElasticFleet) -> list[int]:
    return [len(running) for running in fleet._running]


def test_a_second_engine_takes_the_next_answers_and_finishes_its_own_before_it_goes(settings):
    async def check():
        async with opened(settings) as fleet:
            assert [engine.up for engine in fleet._engines] == [True, False]
            first = [fleet.respond(said("word " * 9, f"r{n}", conversation=f"c{n}")) for n in range(ROOM)]
            for answer in first:
                await first_word(answer)
            await until(lambda: fleet._phases == [Phase.SERVING] * 2)
            last = fleet.respond(said("good night", "last", conversation="last"))
            await first_word(last)
            assert places(fleet) == [ROOM, 1]
            # As many on each, so that it is the second that goes.
            for answer in first[1:]:
                await answer.aclose()
            await until(lambda: fleet._phases == [Phase.SERVING, Phase.DRAINING])
            late = fleet.respond(said("hello", "late", conversation="last"))
            await first_word(late)
            assert places(fleet) == [2, 1], "one that drains is given no more, not even of its own"
            await late.aclose()
            text, sound, end = await whole_after_first(last)
            assert (text.split()[-1], end.reason) == ("night", "completed")
            assert sound
            await until(lambda: fleet._phases == [Phase.SERVING, Phase.OFF])
            await until(lambda: [engine.pid is None for engine in fleet._engines] == [False, True])
            await first[0].aclose()
            # What it counted stays counted.
            assert (await fleet.stats()).starts == 2

    run(check())


async def whole_after_first(events):
    async def again():
        async for event in events:
            yield event

    return await whole(again())


def test_a_conversation_leaves_a_full_engine_for_one_with_room(settings):
    async def check():
        async with opened(settings, idle_s=60.0) as fleet:
            answers = [fleet.respond(said("word " * 9, f"r{n}", conversation="c")) for n in range(ROOM)]
            await until(lambda: fleet._phases == [Phase.SERVING] * 2)
            more = fleet.respond(said("hello", "more", conversation="c"))
            await first_word(more)
            assert places(fleet) == [ROOM, 1]
            for answer in [*answers, more]:
                await answer.aclose()

    run(check())


class Counted:
    """Stands for an answer that is being made."""


def test_where_no_other_lives_one_that_drains_is_better_than_none(settings):
    async def check():
        async with opened(settings, idle_s=60.0) as fleet:
            await fleet._engines[1].open()
            answer = Counted()
            fleet._running[1].add(answer)
            fleet._phases[1] = Phase.DRAINING
            assert fleet._able() == [True, False]
            await fleet._engines[0].close()
            assert fleet._able() == [False, True]
            await fleet._engines[1].close()
            assert fleet._able() == [True, False], "this one is coming back"

    run(check())


def test_one_that_cannot_start_is_not_missed_by_those_that_serve(settings):
    tried = []

    async def start(settings):
        tried.append(settings)
        if len(tried) > 1:
            raise EngineError("engine_start_failed", "no room")
        return await Child.start(settings)

    async def check():
        async with opened(settings, start) as fleet:
            answers = [fleet.respond(said("hi", f"r{n}")) for n in range(2 * ROOM)]
            await until(lambda: len(tried) > 1)
            await asyncio.sleep(0.3)
            assert len(tried) == 2, "it is left alone for a while"
            assert fleet._phases == [Phase.SERVING, Phase.OFF]
            assert places(fleet) == [2 * ROOM, 0]
            assert (await whole(answers[0]))[2].reason == "completed"
            for answer in answers[1:]:
                await answer.aclose()

    run(check())


def test_one_that_is_still_being_started_when_it_is_not_needed_is_given_up(settings):
    given_up = asyncio.Event()
    started = []

    async def start(settings):
        if not started:
            started.append(await Child.start(settings))
            return started[0]
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()

    async def check():
        async with opened(settings, start) as fleet:
            answers = [fleet.respond(said("hi", f"r{n}")) for n in range(ROOM)]
            await until(lambda: fleet._phases[1] is Phase.STARTING)
            for answer in answers:
                await answer.aclose()
            await asyncio.wait_for(given_up.wait(), PATIENCE)
            await until(lambda: fleet._phases == [Phase.SERVING, Phase.OFF])

    run(check())
