"""What was read before is not read again, and the answer is the same to the last code."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from golden import GOLDEN

from engine.api import Audio, Finished, Message, Request, Text, TextDelta
from engine.chroma import parity
from engine.chroma.engine import ChromaEngine
from engine.chroma.reasoner import ReasonerPrompt
from engine.settings import EngineSettings

SECONDS = 5.3


def sound(seconds: float = SECONDS, seed: int = 1) -> bytes:
    made = np.random.default_rng(seed).standard_normal(int(seconds * 24_000)) * 0.1
    return (made * 32767).astype("<i2").tobytes()


PCM = sound()
BEFORE = Request("before", (Message("system", (Text("be brief"),)), Message("user", (Text("hello"),))))


def whole(name: str, pcm: bytes = PCM) -> Request:
    spoken = Message("user", (Audio("s", pcm),))
    return replace(BEFORE, id=name, messages=(*BEFORE.messages, spoken), speak=False, max_tokens=12)


async def answer(engine: ChromaEngine, request: Request):
    events = [event async for event in engine.respond(request)]
    assert isinstance(events[-1], Finished)
    return [event.text for event in events if isinstance(event, TextDelta)], events[-1]


def run(work):
    async def main():
        engine = ChromaEngine(EngineSettings(model=str(GOLDEN), device="cpu", slots=2))
        await engine.open()
        try:
            return await work(engine)
        finally:
            await engine.close()

    return asyncio.run(main())


async def listen(engine: ChromaEngine, pcm: bytes, piece: int = 9_600) -> None:
    for begin in range(0, len(pcm), piece):
        await engine.listen(Audio("s", pcm[begin : begin + piece]), None if begin else BEFORE)


def test_a_sound_that_was_heard_as_it_came_gives_the_same_answer():
    async def work(engine):
        plain, cost = await answer(engine, whole("plain"))
        await engine.forget(["s"])
        await listen(engine, PCM[:-20_000])
        return plain, cost, *await answer(engine, whole("ahead"))

    plain, cost, ahead, finished = run(work)
    assert ahead == plain
    usage, before = finished.usage, cost.usage
    assert (before.cached_audio_tokens, before.cached_text_tokens) == (0, 0)
    assert usage.cached_audio_tokens == 100, "two blocks of 2 s were read before the turn ended"
    assert usage.cached_text_tokens > 10
    same = replace(usage, cached_audio_tokens=0, cached_text_tokens=0)
    assert same == before


def test_the_turn_after_reads_only_what_is_new():
    async def work(engine):
        said, _ = await answer(engine, whole("one"))
        reply = Message("assistant", (Text("".join(said)),))
        more = Message("user", (Text("and then?"),))
        request = whole("two")
        request = replace(request, messages=(*request.messages, reply, more))
        again = await answer(engine, request)
        await engine.close()
        await engine.open()
        return again, await answer(engine, request)

    (text, finished), (fresh, cost) = run(work)
    assert text == fresh
    assert finished.usage.cached_audio_tokens == finished.usage.input_audio_tokens > 0
    assert cost.usage.cached_audio_tokens == 0


@pytest.mark.parametrize("pcm", [sound(2.5), sound(SECONDS)[: 2 * 24_000 * 3]], ids=["shorter", "cut"])
def test_a_sound_that_ends_before_what_was_heard_is_heard_anew(pcm):
    async def work(engine):
        plain, _ = await answer(engine, whole("plain", pcm))
        await engine.forget(["s"])
        await listen(engine, PCM)
        return plain, (await answer(engine, whole("ahead", pcm)))[0]

    plain, ahead = run(work)
    assert ahead == plain


def test_a_sound_that_never_comes_is_forgotten():
    async def work(engine):
        await listen(engine, PCM)
        await engine.forget(["s"])
        await engine.listen(Audio("s", PCM))
        return (await answer(engine, whole("late")))[1].usage

    assert run(work).cached_audio_tokens == 0


def test_a_prompt_with_no_end_in_sight_is_not_read_ahead(chroma, monkeypatch):
    read = []
    monkeypatch.setattr(chroma.reasoner, "_read_only", read.append)
    chroma.reasoner.warm(longest := ReasonerPrompt([1] * (chroma.reasoner.context - 1), None, 0))
    chroma.reasoner.warm(replace(longest, ids=[1, *longest.ids]))
    assert read == [longest]


def test_golden_answers_are_the_same_after_what_came_before_them(chroma, cases):
    """Two answers in one slot, the second on the first one's keys and values."""
    job = parity.job(chroma, "first", cases["short"])
    marks = tuple(("golden", row) for row in range(len(job.prompt.sound)))
    job = replace(job, prompt=replace(job.prompt, marks=marks))
    (first,) = parity.play(chroma, [job])
    (second,) = parity.play(chroma, [replace(job, id="second")])
    assert second.kept == len(job.prompt.ids) - 1
    for played in (first, second):
        assert not any(parity.mismatches(chroma, cases["short"], played).values())


def test_sound_without_marks_is_never_taken_for_another(chroma, cases):
    job = parity.job(chroma, "first", cases["short"])
    assert not job.prompt.marks
    (first,) = parity.play(chroma, [job])
    (second,) = parity.play(chroma, [replace(job, id="second")])
    assert max(first.kept, second.kept) < len(job.prompt.ids) - len(job.prompt.sound)


def test_a_prompt_that_breaks_gives_its_slot_back(chroma, monkeypatch):
    def broken(*_):
        raise RuntimeError("out of memory")

    free = chroma.reasoner._prefixes.free
    with monkeypatch.context() as patched:
        patched.setattr(chroma.reasoner, "_read", broken)
        for work in (chroma.reasoner.warm, lambda prompt: chroma.reasoner.weigh(prompt, [1], [2])):
            with pytest.raises(RuntimeError):
                work(ReasonerPrompt([1, 2, 3], None, 0))
    assert chroma.reasoner._prefixes.free == free


def test_a_long_prompt_is_read_in_parts(chroma, monkeypatch):
    prompt = ReasonerPrompt([1 + index % 50 for index in range(100)], None, 0)
    whole = chroma.reasoner.weigh(prompt, [1, 2], [3, 4]).result()
    monkeypatch.setattr("engine.chroma.thinker._PREFILL", 7)
    again = replace(prompt, ids=[2, *prompt.ids])
    chroma.reasoner.warm(again)
    parts = chroma.reasoner.weigh(replace(prompt, ids=prompt.ids), [1, 2], [3, 4]).result()
    assert parts == pytest.approx(whole, rel=1e-4)


def test_a_message_that_is_deleted_meanwhile_is_not_heard_anew():
    async def work(engine):
        said = Message("user", (Audio("old", sound(1.0)),))
        before = replace(BEFORE, messages=(*BEFORE.messages, said))
        await engine.listen(Audio("s", PCM[:9_600]), before)
        await engine.forget(["old"])
        await engine.listen(Audio("s", PCM[9_600:]))
        _, finished = await answer(engine, whole("r"))
        return finished.reason, set(engine._ears._heard)

    assert run(work) == ("length", {"s"})
