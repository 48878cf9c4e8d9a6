"""The engine in a real child process: what crosses, what is kept, and what happens when it dies."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from asking import PATIENCE, first_word, pcm, run, said, user, whole

from engine import Audio, EngineError, EngineSettings, Finished, Message, Request, Text
from engine.child import Child
from engine.factory import ECHO_PACE
from engine.process import ProcessEngine
from engine.voices import VoiceStore
from engine.wire import Cancel, Forget, Respond


@asynccontextmanager
async def opened(settings: EngineSettings):
    engine = ProcessEngine(settings)
    await asyncio.wait_for(engine.open(), PATIENCE)
    try:
        yield engine
    finally:
        await engine.close()


def kill(engine: ProcessEngine) -> None:
    os.kill(engine.pid, signal.SIGKILL)


async def kill_and_see(engine: ProcessEngine) -> None:
    """Kill the child, and return once the engine has noticed: a call that a stopped child cannot
    answer ends then."""
    os.kill(engine.pid, signal.SIGSTOP)
    call = asyncio.ensure_future(engine.voices())
    await asyncio.sleep(0)
    kill(engine)
    with pytest.raises(EngineError) as caught:
        await asyncio.wait_for(call, PATIENCE)
    assert caught.value.code == "engine_died"


def recovered(engine: ProcessEngine):
    return asyncio.wait_for(engine.recovered(), PATIENCE)


@pytest.fixture
def sent(monkeypatch) -> list:
    """Every message that went to a child, as it went."""
    messages = []
    send = Child.send
    monkeypatch.setattr(Child, "send", lambda self, message: (messages.append(message), send(self, message)))
    return messages


@pytest.fixture
def endless(monkeypatch) -> None:
    """The child's answers stop after their first word: the first frame is due in 80 seconds."""
    monkeypatch.setenv(ECHO_PACE, "0.001")


def sounds_of(message: Respond) -> list[Audio]:
    return [part for turn in message.request.messages for part in turn.parts if isinstance(part, Audio)]


def test_answers_as_the_engine_in_process_would(settings):
    async def check():
        async with opened(settings) as engine:
            sound = pcm(0.8)
            text, heard, end = await whole(
                engine.respond(Request("r", (user(Text("good morning"), Audio("a", sound)),)))
            )
            assert (text, heard, end.reason) == ("good morning", sound, "completed")
            assert end.usage.input_audio_tokens == 20
            assert [voice.name for voice in await engine.voices()] == ["espeak"]
            assert engine.model == "echo"
            assert engine.pid != os.getpid()

    run(check())


def test_many_answers_at_once_and_an_unread_one_holds_up_nobody(settings):
    async def check():
        async with opened(settings) as engine:
            unread = engine.respond(Request("unread", (user(Audio("a", pcm(60.0))),)))
            answers = [engine.respond(said(f"number {n}", str(n))) for n in range(20)]
            texts = [text for text, _, _ in await asyncio.gather(*map(whole, answers))]
            assert texts == [f"number {n}" for n in range(20)]
            assert (await whole(unread))[2].usage.output_audio_tokens == 750

    run(check())


def test_sound_is_sent_once_until_it_is_forgotten(settings, sent):
    async def check():
        async with opened(settings) as engine:
            first, second = Audio("first", pcm(0.4)), Audio("second", pcm(0.8))
            await whole(engine.respond(Request("1", (user(first, first),))))
            longer = (user(first), Message("assistant", (Text("yes"),)), user(first, second))
            _, heard, _ = await whole(engine.respond(Request("2", longer)))
            assert heard == first.pcm + second.pcm
            await engine.forget(["first", "never seen"])
            _, heard, _ = await whole(engine.respond(Request("3", longer)))
            assert heard == first.pcm + second.pcm

    run(check())
    crossed = [[(part.id, bool(part.pcm)) for part in sounds_of(m)] for m in sent if isinstance(m, Respond)]
    assert crossed == [
        [("first", True), ("first", False)],
        [("first", False), ("first", False), ("second", True)],
        [("first", True), ("first", False), ("second", False)],
    ]
    assert [message for message in sent if isinstance(message, Forget)] == [Forget(("first",))]


@pytest.mark.usefixtures("endless")
def test_cancel_reaches_the_child(settings):
    async def check():
        async with opened(settings) as engine:
            answer = engine.respond(said("a long story"))
            other = engine.respond(said("another", "other"))
            assert await first_word(answer) == "a"
            await engine.cancel("r")
            await engine.cancel("nobody")
            _, _, end = await whole(answer)
            assert end.reason == "cancelled"
            assert end.usage.output_text_tokens == 1
            await engine.cancel("other")
            assert (await whole(other))[2].reason == "cancelled"

    run(check())


@pytest.mark.usefixtures("endless")
def test_closing_the_stream_cancels_and_frees_the_id(settings, sent):
    async def check():
        async with opened(settings) as engine:
            answer = engine.respond(said("a long story"))
            await first_word(answer)
            assert (await whole(engine.respond(said("meanwhile"))))[2].code == "duplicate_request"
            await answer.aclose()
            assert [type(message) for message in sent] == [Respond, Cancel]
            again = engine.respond(said("again"))
            assert await first_word(again) == "again"

    run(check())


def test_an_answer_that_nobody_reads_any_more_is_cancelled(settings, sent):
    async def check():
        async with opened(settings) as engine:
            engine.respond(Request("dropped", (user(Audio("a", pcm(30.0))),)))
            # The child answers in order, so by the end of this one it has spoken of the other.
            await whole(engine.respond(said("one two three")))
            assert any(isinstance(message, Cancel) for message in sent)

    run(check())


def test_an_error_at_start_is_the_engines_own(settings):
    with pytest.raises(EngineError, match="nobody") as caught:
        run(ProcessEngine(replace(settings, voice="nobody")).open())
    assert caught.value.code == "unknown_voice"


def test_a_child_that_ends_without_a_word_is_one_clear_error(settings, monkeypatch):
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with pytest.raises(EngineError, match="exit code 1 before it was ready") as caught:
        run(ProcessEngine(settings).open())
    assert caught.value.code == "engine_start_failed"


@pytest.mark.usefixtures("endless")
def test_death_in_the_middle_fails_every_running_answer_at_once(settings):
    async def check():
        async with opened(settings) as engine:
            answers = [engine.respond(said("a long story", str(n))) for n in range(3)]
            for answer in answers:
                await first_word(answer)
            kill(engine)
            for answer in answers:
                text, sound, end = await whole(answer)
                assert (text, sound, end.reason, end.code) == ("", b"", "failed", "engine_died")
            assert (await whole(engine.respond(said("too soon"))))[2].code == "engine_restarting"
            with pytest.raises(EngineError) as caught:
                await engine.voices()
            assert caught.value.code == "engine_restarting"

    run(check())


def test_a_new_child_is_given_the_whole_history_again(settings, sent):
    async def check():
        async with opened(settings) as engine:
            sound = Audio("a", pcm(0.4))
            await whole(engine.respond(Request("1", (user(sound),))))
            old = engine.pid
            await kill_and_see(engine)
            await recovered(engine)
            assert engine.pid != old
            history = (user(sound), user(Text("and")), user(sound))
            _, heard, end = await whole(engine.respond(Request("2", history)))
            assert (heard, end.reason) == (sound.pcm, "completed")

    run(check())
    assert [bool(part.pcm) for part in sounds_of(sent[-1])] == [True, False]


def test_a_start_that_fails_again_and_again_is_tried_until_it_works(settings, recording, monkeypatch):
    store = VoiceStore(settings.voices_dir)
    store.add("mine", recording, "five seconds of humming")
    failed = []
    start = Child.start

    async def check():
        seen = asyncio.Event()

        async def watched(settings):
            try:
                return await start(settings)
            except EngineError as error:
                failed.append(error.code)
                seen.set()
                raise

        async with opened(replace(settings, voice="mine")) as engine:
            monkeypatch.setattr(Child, "start", watched)
            store.remove("mine")
            kill(engine)
            await asyncio.wait_for(seen.wait(), PATIENCE)
            _, _, end = await whole(engine.respond(said("hello")))
            assert end.code == "engine_restarting"
            assert "there is no voice 'mine'" in end.message
            store.add("mine", recording, "five seconds of humming")
            await recovered(engine)
            assert (await whole(engine.respond(said("hello"))))[2].reason == "completed"

    run(check())
    assert set(failed) == {"unknown_voice"}


@pytest.mark.usefixtures("endless")
def test_close_ends_answers_and_the_child(settings):
    async def check():
        engine = ProcessEngine(settings)
        assert (await whole(engine.respond(said("early"))))[2].code == "engine_closed"
        await asyncio.wait_for(engine.open(), PATIENCE)
        pid = engine.pid
        answer = engine.respond(said("a long story"))
        await first_word(answer)
        await asyncio.wait_for(engine.close(), PATIENCE)
        end = await anext(answer)
        assert isinstance(end, Finished)
        assert end.code == "engine_closed"
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert (await whole(engine.respond(said("late"))))[2].code == "engine_closed"

    run(check())


def test_close_during_a_restart_leaves_no_child(settings):
    async def check():
        async with opened(settings) as engine:
            await kill_and_see(engine)
        assert engine.pid is None
        assert (await whole(engine.respond(said("late"))))[2].code == "engine_closed"

    run(check())


def test_ctrl_c_is_the_parents_to_handle(settings):
    async def check():
        async with opened(settings) as engine:
            os.kill(engine.pid, signal.SIGINT)
            assert (await whole(engine.respond(said("still here"))))[0] == "still here"

    run(check())


def test_a_child_ends_when_its_parent_is_killed():
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            textwrap.dedent("""
                import asyncio
                from engine import EngineSettings
                from engine.process import ProcessEngine

                async def main():
                    engine = ProcessEngine(EngineSettings("echo"))
                    await engine.open()
                    print("open", flush=True)
                    await asyncio.Event().wait()

                asyncio.run(main())
            """),
        ],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with parent:
        assert parent.stdout.readline() == b"open\n"
        parent.kill()
        # The child holds the same stderr: it ends only when both are gone.
        parent.communicate(timeout=PATIENCE)


@pytest.mark.parametrize("heard", [0, 12_000, 48_000])
def test_of_a_sound_that_was_heard_as_it_came_only_the_rest_crosses(sent, heard):
    """48,000 bytes of it, `heard` of them before the turn was over."""
    sound = pcm(1.0)

    async def work():
        async with opened(EngineSettings(model="echo")) as engine:
            before = Request("before", ())
            for begin in range(0, heard, 6_000):
                await engine.listen(Audio("s", sound[begin : begin + 6_000]), None if begin else before)
            return await whole(engine.respond(Request("r", (user(Audio("s", sound)),))))

    _, echoed, _ = asyncio.run(work())
    assert echoed[: len(sound)] == sound
    (asked,) = [message for message in sent if isinstance(message, Respond)]
    assert sounds_of(asked)[0].pcm == sound[heard:]


def test_a_sound_that_ended_before_what_was_heard_crosses_whole(sent):
    sound = pcm(1.0)

    async def work():
        async with opened(EngineSettings(model="echo")) as engine:
            await engine.listen(Audio("s", sound), Request("before", ()))
            return await whole(engine.respond(Request("r", (user(Audio("s", sound[:24_000])),))))

    _, echoed, _ = asyncio.run(work())
    assert echoed[:24_000] == sound[:24_000]
    assert Forget(("s",)) in sent


def test_a_child_that_came_anew_is_brought_the_whole(sent):
    sound = pcm(1.0)

    async def work():
        async with opened(EngineSettings(model="echo")) as engine:
            await engine.listen(Audio("s", sound[:24_000]), Request("before", ()))
            await kill_and_see(engine)
            await recovered(engine)
            await engine.listen(Audio("s", sound[24_000:]))
            return await whole(engine.respond(Request("r", (user(Audio("s", sound)),))))

    _, echoed, _ = asyncio.run(work())
    assert echoed[: len(sound)] == sound


def test_of_a_sound_that_is_not_whole_only_the_rest_crosses_and_it_may_go_on(sent):
    sound = pcm(1.0)

    async def work():
        async with opened(EngineSettings(model="echo")) as engine:
            await engine.listen(Audio("s", sound[:12_000]), Request("before", ()))
            early = Audio("s", sound[:24_000], whole=False)
            first = await whole(engine.respond(Request("early", (user(early),))))
            await engine.listen(Audio("s", sound[12_000:36_000]))
            return first, await whole(engine.respond(Request("r", (user(Audio("s", sound)),))))

    (_, so_far, _), (_, echoed, _) = asyncio.run(work())
    assert so_far[:24_000] == sound[:24_000]
    assert echoed[: len(sound)] == sound
    asked = [sounds_of(message)[0].pcm for message in sent if isinstance(message, Respond)]
    assert asked == [sound[12_000:24_000], sound[36_000:]]
