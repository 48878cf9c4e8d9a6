"""An engine's process that hangs, or that says it cannot go on, is killed and started again."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import torch
from asking import PATIENCE, first_word, run, said, whole

from engine import EngineError, Finished
from engine.api import ENGINE_BROKEN
from engine.child import Child
from engine.factory import ECHO_PACE
from engine.process import ProcessEngine
from engine.runtime.device_errors import told
from engine.watchdog import sign_of_life
from engine.wire import Answered


@asynccontextmanager
async def opened(settings):
    engine = ProcessEngine(settings)
    await asyncio.wait_for(engine.open(), PATIENCE)
    try:
        yield engine
    finally:
        await engine.close()


async def started_again(engine: ProcessEngine, old: int) -> None:
    while engine.pid in (old, None):
        await asyncio.wait_for(engine.recovered(), PATIENCE)
        await asyncio.sleep(0.01)


def test_an_engine_that_hangs_is_killed_and_started_again(settings, monkeypatch):
    monkeypatch.setenv(ECHO_PACE, "0.001")

    async def check():
        async with opened(replace(settings, watchdog_s=1.0)) as engine:
            answer = engine.respond(said("a long story"))
            await first_word(answer)
            old = engine.pid
            os.kill(old, signal.SIGSTOP)
            _, _, end = await whole(answer)
            assert (end.reason, end.code) == ("failed", "engine_died")
            await started_again(engine, old)
            assert await first_word(engine.respond(said("once more"))) == "once"

    run(check())


def test_an_engine_that_lives_is_left_alone(settings):
    async def check():
        async with opened(replace(settings, watchdog_s=PATIENCE)) as engine:
            engine._settings = replace(settings, watchdog_s=0.04)
            old, asked = engine.pid, asyncio.Event()
            stats = engine.stats

            async def watched():
                found = await asyncio.wait_for(stats(), PATIENCE)
                asked.set()
                return found

            engine.stats = watched  # type: ignore[method-assign]
            watchdog = asyncio.create_task(engine._watch(engine._child))
            await asyncio.wait_for(asked.wait(), PATIENCE)
            watchdog.cancel()
            assert (await whole(engine.respond(said("still here"))))[0] == "still here"
            assert engine.pid == old

    run(check())


def test_an_engine_that_is_too_busy_to_reply_is_left_alone():
    """Its answers come, and the reply behind them does not: only once nothing comes is it taken for dead."""

    async def check():
        frames = 0

        async def answer():
            nonlocal frames
            for _ in range(100):
                frames += 1
                await asyncio.sleep(0.005)

        answering = asyncio.create_task(answer())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sign_of_life(asyncio.Event().wait, lambda: frames, 0.2), PATIENCE)
        assert answering.done()

    run(check())


@pytest.mark.parametrize("watchdog_s", [PATIENCE / 10, 0])
def test_an_engine_that_says_that_it_is_broken_is_started_again(settings, monkeypatch, watchdog_s):
    monkeypatch.setattr("engine.watchdog._UNWATCHED", PATIENCE / 10)
    stats = ProcessEngine.stats
    broken: list[EngineError] = []

    async def says(self):
        if broken:
            raise broken.pop()
        return await stats(self)

    async def check():
        monkeypatch.setattr(ProcessEngine, "stats", says)
        async with opened(replace(settings, watchdog_s=watchdog_s)) as engine:
            old = engine.pid
            broken.append(EngineError(ENGINE_BROKEN, "the device is lost"))
            await started_again(engine, old)
            assert (await whole(engine.respond(said("here again"))))[0] == "here again"

    run(check())


def test_an_answer_that_says_so_is_enough(settings, monkeypatch):
    receive = Child.receive

    async def says(self):
        match await receive(self):
            case Answered(key, Finished()):
                return Answered(key, Finished("failed", code=ENGINE_BROKEN, message="the device is lost"))
            case message:
                return message

    async def check():
        async with opened(replace(settings, watchdog_s=0)) as engine:
            old = engine.pid
            monkeypatch.setattr(Child, "receive", says)
            assert (await whole(engine.respond(said("one two three"))))[2].code == ENGINE_BROKEN
            await started_again(engine, old)

    run(check())


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB."), "engine_out_of_memory"),
        (torch.AcceleratorError("CUDA error: an illegal memory access was encountered"), ENGINE_BROKEN),
        (RuntimeError("a bug"), "engine_error"),
        (EngineError("engine_full", "no place"), "engine_full"),
    ],
)
def test_errors_of_the_device_are_told_apart(error, code):
    assert told("the Speaker", error).code == code
