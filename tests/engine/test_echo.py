"""Echo keeps every promise of the wall, so that what passes with it can pass with a model."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from asking import PATIENCE, first_word, pcm, run, said, user, whole

from engine import (
    Audio,
    AudioDelta,
    EngineError,
    EngineSettings,
    Finished,
    Message,
    Request,
    Started,
    Text,
    TextDelta,
    Usage,
)
from engine.echo import FRAME_BYTES, EchoEngine


async def opened(settings: EngineSettings, pace: float | None = None) -> EchoEngine:
    engine = EchoEngine(settings, pace)
    await engine.open()
    return engine


def test_says_the_users_words_and_sound_again(settings):
    async def check():
        engine = await opened(settings)
        sound = pcm(0.4)
        request = Request(
            "r",
            (
                user(Text("an older turn")),
                Message("assistant", (Text("an answer"),)),
                user(Text("good morning"), Audio("a", sound)),
            ),
        )
        text, heard, end = await whole(engine.respond(request))
        assert text == "good morning"
        assert heard == sound
        assert end.reason == "completed"
        assert end.usage.input_text_tokens == 7
        assert end.usage.input_audio_tokens == 10
        assert end.usage.output_text_tokens == 2
        assert end.usage.output_audio_tokens == 5

    run(check())


def test_sound_leaves_in_whole_frames_and_after_its_words(settings):
    async def check():
        engine = await opened(settings)
        request = Request("r", (user(Audio("a", pcm(1.0))),))
        events = [event async for event in engine.respond(request)]
        frames = [event for event in events if isinstance(event, AudioDelta)]
        assert {len(frame.pcm) for frame in frames} == {FRAME_BYTES}
        assert len(frames) == 13  # 12.5: the last is filled up.
        assert isinstance(events[0], Started)
        assert events[0].usage == Usage(input_audio_tokens=25)
        assert isinstance(events[1], TextDelta)
        assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "You said 1.0 seconds of sound."

    run(check())


def test_a_text_turn_is_given_a_sound_of_its_own(settings):
    async def check():
        engine = await opened(settings)
        _, sound, _ = await whole(engine.respond(said("one two")))
        samples = np.frombuffer(sound, "<i2")
        assert 0 < np.abs(samples).max() < 0.2 * 32_768

    run(check())


def test_text_alone_makes_no_sound(settings):
    async def check():
        engine = await opened(settings)
        request = Request("r", (user(Text("quiet please"), Audio("a", pcm(1.0))),), speak=False)
        text, sound, end = await whole(engine.respond(request))
        assert (text, sound, end.usage.output_audio_tokens) == ("quiet please", b"", 0)

    run(check())


def test_an_empty_conversation_is_answered(settings):
    async def check():
        engine = await opened(settings)
        text, sound, end = await whole(engine.respond(Request("r", ())))
        assert text
        assert sound
        assert end.reason == "completed"

    run(check())


@pytest.mark.parametrize("limit", [0, 1, 4])
def test_max_tokens_counts_words_and_frames_together(settings, limit):
    async def check():
        engine = await opened(settings)
        _, _, end = await whole(engine.respond(said("one two three", max_tokens=limit)))
        assert end.reason == "length"
        assert end.usage.output_text_tokens + end.usage.output_audio_tokens == limit

    run(check())


def test_a_limit_that_is_just_enough_cuts_nothing(settings):
    async def check():
        engine = await opened(settings)
        _, _, end = await whole(engine.respond(said("one", max_tokens=4)))
        assert (end.reason, end.usage.output_audio_tokens) == ("completed", 3)

    run(check())


def test_the_longest_answer_is_a_setting(settings):
    async def check():
        engine = await opened(replace(settings, max_seconds=0.4))
        _, sound, end = await whole(engine.respond(Request("r", (user(Audio("a", pcm(2.0))),))))
        assert (end.reason, len(sound)) == ("length", 5 * FRAME_BYTES)

    run(check())


def test_cancel_ends_within_one_frame_even_while_the_engine_waits(settings):
    async def check():
        engine = await opened(settings, pace=0.001)  # The next frame is 80 seconds away.
        answer = engine.respond(Request("r", (user(Audio("a", pcm(2.0))),)))
        assert await first_word(answer) == "You"
        following = asyncio.ensure_future(anext(answer))
        await asyncio.sleep(0)
        await engine.cancel("r")
        end = await asyncio.wait_for(following, PATIENCE)
        assert isinstance(end, Finished)
        assert (end.reason, end.usage.output_audio_tokens) == ("cancelled", 1)

    run(check())


def test_cancel_before_the_first_read_counts(settings):
    async def check():
        engine = await opened(settings)
        answer = engine.respond(said("never said"))
        await engine.cancel("r")
        text, sound, end = await whole(answer)
        assert (text, sound, end.reason) == ("", b"", "cancelled")

    run(check())


def test_cancelling_one_leaves_the_other_alone_and_unknown_ids_are_no_error(settings):
    async def check():
        engine = await opened(settings)
        first, second = engine.respond(said("first", "1")), engine.respond(said("second", "2"))
        await engine.cancel("1")
        await engine.cancel("nobody")
        assert (await whole(first))[2].reason == "cancelled"
        assert (await whole(second))[0] == "second"

    run(check())


def test_an_id_runs_once_and_is_free_again_at_its_end(settings):
    async def check():
        engine = await opened(settings)
        first = engine.respond(said("first"))
        await first_word(first)
        assert (await whole(engine.respond(said("second"))))[2].code == "duplicate_request"
        async for event in first:
            if isinstance(event, Finished):
                break
        assert (await whole(engine.respond(said("third"))))[0] == "third"
        left = engine.respond(said("fourth"))
        await first_word(left)
        await left.aclose()
        assert (await whole(engine.respond(said("fifth"))))[0] == "fifth"

    run(check())


def test_an_unknown_voice_fails_and_names_those_there_are(settings):
    async def check():
        engine = await opened(settings)
        _, _, end = await whole(engine.respond(said("hello", voice="nobody")))
        assert (end.reason, end.code) == ("failed", "unknown_voice")
        assert "nobody" in end.message
        assert "espeak" in end.message
        assert (await whole(engine.respond(said("hello", voice="espeak"))))[2].reason == "completed"

    run(check())


def test_an_unknown_default_voice_is_told_at_open(settings):
    engine = EchoEngine(replace(settings, voice="nobody"))
    with pytest.raises(EngineError, match="nobody") as caught:
        asyncio.run(engine.open())
    assert caught.value.code == "unknown_voice"


def test_close_ends_running_answers_and_refuses_new_ones(settings):
    async def check():
        engine = await opened(settings)
        running = engine.respond(said("one two three"))
        await first_word(running)
        await engine.close()
        assert (await whole(running))[2].code == "engine_closed"
        assert (await whole(engine.respond(said("late"))))[2].code == "engine_closed"

    run(check())
