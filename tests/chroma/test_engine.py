"""The Chroma engine behind its wall, in process, on the golden checkpoint."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from golden import GOLDEN

from engine import Audio, AudioDelta, EngineError, EngineSettings, Finished, Message, Request, Text, TextDelta
from engine.chroma.engine import ChromaEngine

SETTINGS = EngineSettings(
    model=str(GOLDEN), slots=3, temperature=0.0, max_seconds=2.0, in_process=True, device="cpu"
)


@pytest.fixture(autouse=True)
def folders(tmp_path_factory, monkeypatch):
    base = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("XDG_CACHE_HOME", str(base / "cache"))
    monkeypatch.setenv("CHROMA_REALTIME_VOICES", str(base / "voices"))


def sound(seconds: float, seed: int = 0) -> bytes:
    noise = np.random.default_rng(seed).normal(0, 3000, int(seconds * 24_000))
    return noise.astype("<i2").tobytes()


def ask(name: str, *parts, **changes) -> Request:
    messages = (Message("system", (Text("Be brief."),)), Message("user", parts or (Text("Hello"),)))
    return Request(**{"id": name, "messages": messages} | changes)


async def collect(engine, request) -> tuple[str, bytes, Finished]:
    events = [event async for event in engine.respond(request)]
    assert isinstance(events[-1], Finished)
    assert sum(isinstance(event, Finished) for event in events) == 1
    text = "".join(event.text for event in events if isinstance(event, TextDelta))
    pcm = b"".join(event.pcm for event in events if isinstance(event, AudioDelta))
    return text, pcm, events[-1]


def with_engine(scenario, settings=SETTINGS):
    async def main():
        engine = ChromaEngine(settings)
        await engine.open()
        try:
            return await asyncio.wait_for(scenario(engine), 60)
        finally:
            await engine.close()

    return asyncio.run(main())


def test_a_spoken_turn_is_answered_in_text_and_sound_with_real_usage():
    async def scenario(engine):
        return await collect(engine, ask("r", Text("Hi"), Audio("a", sound(2.0))))

    text, pcm, finished = with_engine(scenario)
    assert text
    assert len(pcm) == 25 * 1920 * 2, "2 seconds, the frame limit"
    assert finished.reason == "length"
    assert finished.usage.input_audio_tokens == 50, "25 a second"
    assert finished.usage.input_text_tokens > 10
    assert finished.usage.output_audio_tokens == 25
    assert finished.usage.output_text_tokens > 10


def uncached(finished: Finished) -> Finished:
    """How much was kept of what came before depends on what came before."""
    return replace(finished, usage=replace(finished.usage, cached_text_tokens=0, cached_audio_tokens=0))


def test_answers_side_by_side_equal_answers_alone():
    requests = [
        ask("a", Audio("a", sound(1.0, 1))),
        ask("b", Text("Tell me more"), voice="espeak"),
        ask("c", Audio("c", sound(2.5, 2)), seed=5, temperature=0.9),
    ]

    async def alone(engine):
        return [await collect(engine, request) for request in requests]

    async def together(engine):
        return await asyncio.gather(*(collect(engine, request) for request in requests))

    for one, beside in zip(with_engine(alone), with_engine(together), strict=True):
        assert one[0] == beside[0]
        assert uncached(one[2]) == uncached(beside[2])
        steps = np.abs(np.frombuffer(one[1], "<i2").astype(int) - np.frombuffer(beside[1], "<i2"))
        assert steps.max() <= 1, "equal codes; their sound may round to the next step of PCM16"


def test_an_answer_to_a_sound_that_goes_on_is_that_to_the_sound_up_to_there():
    words = sound(1.2) + bytes(2 * 2400)

    async def scenario(engine):
        before = ask("before")
        await engine.listen(Audio("a", words), before)
        early = await collect(engine, ask("early", Audio("a", words, whole=False), speak=False, max_tokens=3))
        await engine.listen(Audio("a", words))
        longer = Audio("a", words + words)
        return early, await collect(engine, ask("late", longer, speak=False, max_tokens=3))

    early, late = with_engine(scenario)
    assert early[2].usage.input_audio_tokens == 32, "1.3 s"
    assert late[2].usage.input_audio_tokens == 65, "2.6 s"

    async def whole(engine):
        return await collect(engine, ask("whole", Audio("b", words), speak=False, max_tokens=3))

    assert with_engine(whole)[:2] == early[:2]


def test_an_answer_that_may_never_be_wanted_is_made_while_half_the_slots_are_free():
    async def scenario(engine):
        first = await collect(engine, ask("first", Text("Hi"), only_if_room=True, max_tokens=4))
        running = engine.respond(ask("running", Text("Hi")))
        await anext(running)
        second = await collect(engine, ask("second", Text("Hi"), only_if_room=True))
        await running.aclose()
        return first[2], second[2]

    first, second = with_engine(scenario)
    assert first.reason == "length"
    assert (second.reason, second.code) == ("failed", "no_room"), "it would be the second of three"


def test_text_alone():
    async def scenario(engine):
        return await collect(engine, ask("r", speak=False, max_tokens=12))

    text, pcm, finished = with_engine(scenario)
    assert (text != "", pcm, finished.reason) == (True, b"", "length")
    assert finished.usage.output_text_tokens == 12


def test_cancel_ends_an_answer_and_leaves_the_other():
    async def scenario(engine):
        events = []

        async def listen():
            async for event in engine.respond(ask("gone")):
                events.append(event)
                if sum(isinstance(e, AudioDelta) for e in events) == 3:
                    await engine.cancel("gone")

        other = asyncio.create_task(collect(engine, ask("kept")))
        await listen()
        return events, await other

    events, kept = with_engine(scenario)
    assert events[-1].reason == "cancelled"
    assert kept[2].reason == "length"
    assert len(kept[1]) == 25 * 1920 * 2


def test_a_cancel_that_comes_before_the_first_event_is_not_lost():
    async def scenario(engine):
        unread, waiting = engine.respond(ask("unread")), engine.respond(ask("waiting"))
        await engine.cancel("unread")
        first = asyncio.ensure_future(anext(waiting))
        await asyncio.sleep(0)
        await engine.cancel("waiting")
        return [event async for event in unread], [await first, *[event async for event in waiting]]

    for events in with_engine(scenario):
        assert events[-1].reason == "cancelled"
        assert not any(isinstance(event, AudioDelta) for event in events)


def test_leaving_the_stream_early_cancels_and_frees_the_slot():
    async def scenario(engine):
        for index in range(SETTINGS.slots + 2):
            stream = engine.respond(ask(f"left-{index}"))
            async for event in stream:
                if isinstance(event, AudioDelta):
                    break
            await stream.aclose()
        return await collect(engine, ask("last"))

    assert with_engine(scenario)[2].reason == "length"


def test_bad_requests_fail_by_name_and_alone():
    async def scenario(engine):
        long = await collect(engine, ask("long", Text("word " * 4000)))
        voice = await collect(engine, ask("voice", voice="nobody"))
        running = engine.respond(ask("same"))
        first = await anext(running)
        twice = await collect(engine, ask("same"))
        await running.aclose()
        await engine.cancel("never-started")
        await engine.forget(["never-heard"])
        return long[2], voice[2], first, twice[2], await collect(engine, ask("after"))

    long, voice, first, twice, after = with_engine(scenario)
    assert (long.reason, long.code) == ("failed", "context_length_exceeded")
    assert (voice.reason, voice.code) == ("failed", "unknown_voice")
    assert not isinstance(first, Finished)
    assert (twice.reason, twice.code) == ("failed", "duplicate_request")
    assert after[2].reason == "length"


def test_sound_is_encoded_once_and_forgotten_when_told():
    async def scenario(engine):
        heard = []
        original = engine._chroma.hearing.hear_pcm
        engine._chroma.hearing.hear_pcm = lambda pcm: heard.append(len(pcm)) or original(pcm)
        request = ask("1", Audio("a", sound(1.0)), speak=False, max_tokens=2)
        await collect(engine, request)
        await collect(engine, replace(request, id="2"))
        once = len(heard)
        await engine.forget(["a"])
        await collect(engine, replace(request, id="3"))
        return once, len(heard)

    assert with_engine(scenario) == (1, 2)


def test_closing_ends_running_answers_as_failed():
    async def scenario():
        engine = ChromaEngine(replace(SETTINGS, max_seconds=60))
        await engine.open()
        stream = engine.respond(ask("r"))
        await anext(stream)
        await engine.close()
        rest = [event async for event in stream]
        return rest[-1], await collect(engine, ask("late"))

    ended, late = asyncio.run(scenario())
    assert (ended.reason, ended.code) == ("failed", "engine_closed")
    assert late[2].code == "engine_closed"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"model": "/no/such/folder"}, "model_not_found"),
        ({"voice": "nobody"}, "unknown_voice"),
        ({"device": "no-such-device"}, "device_unavailable"),
        ({"dtype": "int8"}, "invalid_setting"),
    ],
)
def test_start_up_problems_are_one_clear_line(changes, code):
    async def scenario():
        await ChromaEngine(replace(SETTINGS, **changes)).open()

    with pytest.raises(EngineError) as caught:
        asyncio.run(scenario())
    assert caught.value.code == code
    assert "\n" not in caught.value.message


def test_a_voice_is_encoded_once_and_its_codes_kept_on_disk(monkeypatch):
    calls = []
    from engine.chroma import voices

    original = voices.encode
    monkeypatch.setattr(voices, "encode", lambda *a: calls.append(1) or original(*a))

    async def scenario(engine):
        return await collect(engine, ask("r", max_tokens=6))

    monkeypatch.setenv("XDG_CACHE_HOME", str(voices.cache_folder() / "fresh"))
    first = with_engine(scenario)
    assert len(calls) == 1
    assert with_engine(scenario) == first
    assert len(calls) == 1, "the second start took the codes from disk"
    for file in voices.cache_folder().iterdir():
        file.write_bytes(b"torn")
    assert with_engine(scenario) == first
    assert len(calls) == 2
