"""How many answers a machine is trusted with, and what becomes of one too many."""

import asyncio
import math

import pytest
from golden import GOLDEN
from test_loop import Clock, ScriptedReasoner, ScriptedSpeaker, job

from engine import EngineSettings
from engine.chroma.engine import ChromaEngine
from engine.chroma.parity import Answer
from engine.runtime import admission
from engine.runtime.admission import capacity, measure
from engine.runtime.loop import FrameLoop


class CostlySpeaker(ScriptedSpeaker):
    """Each frame of each answer takes this long."""

    def __init__(self, clock: Clock, seconds: float, **settings) -> None:
        super().__init__(**settings)
        self.clock, self.seconds = clock, seconds

    def step(self, speeches):
        self.clock.now += self.seconds * len(speeches)
        return super().step(speeches)


def test_a_turn_is_measured_at_growing_sizes_until_it_takes_too_long():
    clock = Clock()
    speaker = CostlySpeaker(clock, 0.02, slots=16, frames=500)
    loop = FrameLoop(ScriptedReasoner(), speaker, clock=clock)
    seconds = measure(loop, job("300-t"), (1, 2, 4, 8, 16), clock, 0.064)
    assert seconds == pytest.approx({1: 0.02, 2: 0.04, 4: 0.08})
    assert not loop.busy
    assert capacity(seconds, 0.064) == 3


def test_a_size_at_which_an_answer_breaks_is_one_too_many():
    class Broken(CostlySpeaker):
        def step(self, speeches):
            if len(speeches) > 2:
                raise RuntimeError("out of memory")
            return super().step(speeches)

    clock = Clock()
    loop = FrameLoop(ScriptedReasoner(), Broken(clock, 0.001, slots=8, frames=500), clock=clock)
    seconds = measure(loop, job("300-t"), (1, 2, 4, 8), clock, 0.064)
    assert list(seconds) == [1, 2, 4]
    assert capacity(seconds, 0.064) == 2


def test_text_is_made_beside_all_the_sound_that_can_be_spoken():
    clock, speaker = Clock(), ScriptedSpeaker(slots=4, frames=500)
    loop = FrameLoop(ScriptedReasoner(), speaker, patience=2.0, clock=clock)
    loop.capacity = 1
    spoken, waiting, text = Answer(), Answer(), Answer()
    loop.submit(job("300-a"), spoken)
    loop.submit(job("300-b"), waiting)
    loop.submit(job("5-c", voice=None), text)
    for _ in range(8):
        loop.turn()
    assert (text.reason, len(text.tokens)) == ("completed", 5)
    assert (spoken.reason, waiting.reason) == (None, None)


@pytest.mark.parametrize(
    ("seconds", "most"),
    [
        ({1: 0.2}, 1),
        ({1: 0.01, 2: 0.012}, 2),
        ({1: 0.01, 2: 0.02, 4: 0.1}, 3),
        ({1: 0.06, 2: 0.5}, 1),
        ({8: 0.064, 16: 0.128}, 8),
    ],
)
def test_between_two_sizes_lies_a_straight_line(seconds, most):
    assert capacity(seconds, 0.064) == most


def test_one_too_many_waits_and_is_refused_before_it_hurts_the_others():
    clock, speaker = Clock(), ScriptedSpeaker(slots=4, frames=500)
    loop = FrameLoop(ScriptedReasoner(), speaker, patience=2.0, clock=clock)
    loop.capacity = 2
    answers = [Answer() for _ in range(3)]
    for name, answer in zip("abc", answers, strict=True):
        loop.submit(job(f"300-{name}"), answer)
    for _ in range(4):
        loop.turn()
    assert max(map(len, speaker.batches)) == 2
    assert answers[2].reason is None, "somebody may come to an end"
    clock.now += 2.1
    loop.turn()
    assert answers[2].reason == "failed"
    assert answers[2].error.code == "engine_full"
    assert "2 answers" in answers[2].error.message
    assert [answer.reason for answer in answers[:2]] == [None, None]


def test_who_waits_gets_the_place_of_one_that_ends():
    clock, speaker = Clock(), ScriptedSpeaker(slots=4, frames=4)
    loop = FrameLoop(ScriptedReasoner(), speaker, clock=clock)
    loop.capacity = 1
    answers = [Answer(), Answer()]
    for name, answer in zip("ab", answers, strict=True):
        loop.submit(job(f"2-{name}"), answer)
    while loop.busy:
        loop.turn()
    assert [answer.reason for answer in answers] == ["completed", "completed"]
    assert max(map(len, speaker.batches)) == 1


@pytest.mark.parametrize("model", ["nano", str(GOLDEN)])
def test_what_is_measured_of_a_model_does_not_end_before_it_is_measured(model, tmp_path, monkeypatch):
    measured = {}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(admission, "capacity", lambda seconds: measured.update(seconds) or 1)
    engine = ChromaEngine(EngineSettings(model=model, slots=2, voices_dir=tmp_path))

    async def begin():
        await engine.open()
        await engine.close()

    asyncio.run(begin())
    assert measured
    assert all(math.isfinite(seconds) for seconds in measured.values())
