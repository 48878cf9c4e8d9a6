"""Calls, given words, long conversations, voices for once and judgements on the real model."""

import asyncio
import threading

import numpy as np
import pytest
import soundfile
from golden import GOLDEN

from engine import (
    Audio,
    AudioDelta,
    EngineError,
    EngineSettings,
    Message,
    Reference,
    Request,
    Started,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolChoice,
    Truncation,
)
from engine.chroma.engine import ChromaEngine
from engine.models import NANO_FOLDER
from engine.voices.store import VoiceStore

TOOL = Tool("time", "What time it is.", {"type": "object"})
MARKUP = '<tool_call>{"name": "time", "arguments": {"city": "Köln"}}</tool_call>'
USER = Message("user", (Text("Hi"),))


async def collect(engine, request):
    return [event async for event in engine.respond(request)]


def respond(*requests, **settings):
    async def main():
        engine = ChromaEngine(EngineSettings(model=str(GOLDEN), device="cpu", slots=2, **settings))
        await engine.open()
        try:
            return await asyncio.gather(*(collect(engine, one) for one in requests))
        finally:
            await engine.close()

    return asyncio.run(main())


def say(words, name="r", **fields):
    return Request(name, (USER,), say=words, seed=5, **fields)


def sound(events):
    return b"".join(event.pcm for event in events if isinstance(event, AudioDelta))


def assert_same_sound(one, other):
    """Rows of one batch may round differently: a step or two of PCM16 is no difference."""
    one, other = (np.frombuffer(sound(events), "<i2").astype(int) for events in (one, other))
    assert len(one) == len(other) > 0
    assert np.abs(one - other).max() <= 2


def words(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def test_what_is_said_before_a_call_is_spoken_as_if_nothing_followed():
    plain, calling = respond(
        say("ab", "plain", tools=(TOOL,)), say(f"ab \n{MARKUP}", "calling", tools=(TOOL,)), max_seconds=12
    )
    assert words(plain) == words(calling) == "ab"
    assert_same_sound(plain, calling)
    assert [event.arguments for event in calling if isinstance(event, ToolCall)] == ['{"city": "Köln"}']
    assert calling[-1].usage.output_text_tokens > plain[-1].usage.output_text_tokens


def test_a_call_alone_is_never_spoken_nor_a_malformed_one_and_others_go_on():
    silent, broken = respond(say(MARKUP, "a", tools=(TOOL,)), say(f"x{MARKUP}", "b"), max_seconds=12)
    assert (words(silent), sound(silent), silent[-1].reason) == ("", b"", "completed")
    assert [type(event).__name__ for event in silent].count("ToolCall") == 1
    assert (broken[-1].reason, broken[-1].code) == ("failed", "malformed_tool_call")
    assert MARKUP[:5] not in words(broken)


@pytest.mark.parametrize("choice", [ToolChoice("required"), ToolChoice("required", "time")])
def test_a_required_call_is_begun_whatever_the_model_would_say(choice):
    """A random model never ends its call: it is malformed or cut off, and nothing of it is heard."""
    request = Request("r", (USER,), tools=(TOOL,), tool_choice=choice, max_tokens=60)
    (events,) = respond(request)
    assert (words(events), sound(events)) == ("", b"")
    assert events[-1].reason in ("length", "failed")


def test_tools_cost_what_they_take_in_the_prompt():
    plain, told = respond(
        Request("a", (USER,), speak=False, max_tokens=2),
        Request("b", (USER,), speak=False, max_tokens=2, tools=(TOOL,)),
    )
    assert told[0].usage.input_text_tokens > plain[0].usage.input_text_tokens + 50


def test_a_long_conversation_loses_its_beginning_by_true_counts():
    history = [Message("user", (Text(f"word {number} " * 10),)) for number in range(8)]
    whole, cut, failed = respond(
        Request("a", tuple(history), speak=False, max_tokens=2),
        Request("b", tuple(history * 3), speak=False, max_tokens=2, truncation=Truncation(0.5)),
        Request("c", tuple(history * 3), speak=False, max_tokens=2),
        context=1200,
    )
    assert whole[0].left_out == 0
    started = cut[0]
    assert isinstance(started, Started)
    assert 0 < started.left_out < 24
    assert started.usage.input_text_tokens <= 600
    assert failed[-1].code == "context_length_exceeded"


def test_a_voice_for_once_sounds_like_that_voice_kept(tmp_path):
    sample = GOLDEN.parent / "speech" / "long.wav"
    VoiceStore(tmp_path).add("ada", sample, "Hello there.", "Ada agreed.")
    pcm = soundfile.read(sample, dtype="int16")[0].tobytes()
    kept, once, short = respond(
        say("ab", "a", voice="ada"),
        say("ab", "b", voice=Reference("v", "Hello there.", pcm)),
        say("ab", "c", voice=Reference("w", "Hello.", pcm[:48_000])),
        voices_dir=tmp_path,
        max_seconds=3,
    )
    assert_same_sound(kept, once)
    assert (short[-1].reason, short[-1].code) == ("failed", "voice_too_short")


def test_a_pause_is_judged_by_the_model():
    async def main():
        engine = ChromaEngine(EngineSettings(model=str(GOLDEN), device="cpu", slots=1))
        with pytest.raises(EngineError):
            await engine.turn_over(Audio("a", bytes(48_000)))
        await engine.open()
        try:
            return [await engine.turn_over(Audio("a", bytes(48_000))) for _ in range(2)]
        finally:
            await engine.close()

    first, second = asyncio.run(main())
    assert 0 < first < 1
    assert first == pytest.approx(second, rel=1e-4)


def test_a_model_that_follows_no_instructions_judges_no_pause():
    async def main():
        engine = ChromaEngine(EngineSettings(model=str(NANO_FOLDER), device="cpu", slots=1))
        await engine.open()
        try:
            await engine.turn_over(Audio("a", bytes(48_000)))
        finally:
            await engine.close()

    with pytest.raises(EngineError) as raised:
        asyncio.run(main())
    assert raised.value.code == "no_turn_model"


def test_a_sound_that_leaves_before_it_is_heard_is_not_kept():
    async def main():
        engine = ChromaEngine(EngineSettings(model=str(GOLDEN), device="cpu", slots=2))
        await engine.open()
        ready = threading.Event()
        try:
            # Holds the engine up, so that the sound is forgotten before its request is begun.
            engine._commands.put(ready.wait)
            heard = (Message("user", (Audio("gone", bytes(48_000)),)),)
            asking = asyncio.create_task(collect(engine, Request("r", heard, speak=False, max_tokens=2)))
            # Asking has got as far as the voice, or as far as the engine.
            await asyncio.sleep(0)
            assert "r" in engine._running
            await engine.forget(["gone", "never here"])
            ready.set()
            assert (await asking)[-1].reason in ("completed", "length")
            assert not engine._ears._heard
            await engine.forget(["another"])
            assert not engine._forgotten
        finally:
            ready.set()
            await engine.close()

    asyncio.run(main())
