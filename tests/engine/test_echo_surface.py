"""Echo over the whole surface, by itself and in a process of its own."""

import asyncio

import pytest

from engine import (
    Audio,
    AudioDelta,
    Call,
    CallOutput,
    EngineError,
    EngineSettings,
    Finished,
    Message,
    Reference,
    Request,
    Started,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolChoice,
    Transcribe,
    Truncation,
)
from engine.echo import EchoEngine
from engine.process import ProcessEngine

TOOL = Tool("time", "What time it is.")
MARKUP = '<tool_call>{"name": "time", "arguments": {"city": "Köln"}}</tool_call>'


def user(text):
    return Message("user", (Text(text),))


def request(*messages, **fields):
    return Request("r", messages, **fields)


def ask(request, make=EchoEngine, **settings):
    async def main():
        engine = make(EngineSettings(model="echo", **settings))
        await engine.open()
        try:
            return [event async for event in engine.respond(request)]
        finally:
            await engine.close()

    return asyncio.run(main())


def said(events):
    return "".join(event.text for event in events if isinstance(event, TextDelta))


@pytest.mark.parametrize("make", [EchoEngine, ProcessEngine])
def test_a_call_that_it_is_told_to_make(make):
    events = ask(request(user(f"One moment. {MARKUP}"), tools=(TOOL,)), make)
    assert said(events) == "One moment."
    assert [event for event in events if isinstance(event, ToolCall)] == [
        ToolCall("time", '{"city": "Köln"}', tokens=3)
    ]
    assert events[-1].reason == "completed"


@pytest.mark.parametrize("fields", [{}, {"tools": (Tool("other"),)}])
def test_a_call_of_what_is_no_tool_fails(fields):
    events = ask(request(user(MARKUP), **fields))
    assert (events[-1].reason, events[-1].code) == ("failed", "malformed_tool_call")
    assert not [event for event in events if isinstance(event, AudioDelta | TextDelta)]


def test_where_nothing_is_to_be_called_the_answer_ends_before_the_call():
    fields = {"tools": (TOOL,), "tool_choice": ToolChoice("none")}
    events = ask(request(user(f"Well.\n{MARKUP}"), **fields))
    assert "".join(event.text for event in events if isinstance(event, TextDelta)).strip() == "Well."
    assert not [event for event in events if isinstance(event, ToolCall)]
    assert events[-1].reason == "completed"


@pytest.mark.parametrize("name", [None, "other"])
def test_a_call_that_is_required(name):
    tools = (TOOL, Tool("other"))
    events = ask(request(user("what now"), tools=tools, tool_choice=ToolChoice("required", name)))
    (call,) = [event for event in events if isinstance(event, ToolCall)]
    assert (call.name, call.arguments) == (name or "time", '{"text": "what now"}')
    assert not said(events)


def test_it_says_what_a_tool_answered():
    messages = (
        user("?"),
        Message("assistant", (Call("time", "{}"),)),
        Message("tool", (CallOutput("Noon."),)),
    )
    assert said(ask(request(*messages, tools=(TOOL,)))) == "Noon."


def test_given_words_and_a_transcription():
    assert said(ask(request(user("hi"), say="good evening"))) == "good evening"
    heard = Message("user", (Audio("a", bytes(48_000)), Text("Write down what is said.")))
    assert said(ask(request(heard, transcribe=Transcribe()))) == "You said 1.0 seconds of sound."


def test_a_long_conversation_loses_its_beginning():
    messages = [user("word " * 10) for _ in range(5)]
    started = ask(request(*messages, truncation=Truncation()), context=35)[0]
    assert isinstance(started, Started)
    assert (started.left_out, started.usage.input_text_tokens) == (2, 30)
    (failed,) = ask(request(*messages), context=35)
    assert failed.code == "context_length_exceeded"


@pytest.mark.parametrize("make", [EchoEngine, ProcessEngine])
def test_nobody_there_judges_a_pause(make):
    async def main():
        engine = make(EngineSettings(model="echo"))
        await engine.open()
        try:
            await engine.turn_over(Audio("a", bytes(4800)))
        finally:
            await engine.close()

    with pytest.raises(EngineError) as caught:
        asyncio.run(main())
    assert caught.value.code == "no_turn_model"


def test_a_voice_for_once_crosses_to_another_process_once():
    async def main():
        engine = ProcessEngine(EngineSettings(model="echo"))
        await engine.open()
        try:
            voice = Reference("v", "Hi.", bytes(48_000))
            for number in range(2):
                asked = Request(f"r{number}", (user("hi"),), voice=voice)
                assert [event async for event in engine.respond(asked)][-1] == Finished(
                    "completed", (await engine_usage(engine, asked))
                )
            assert "v" in engine._sent.whole
            await engine.forget(["v"])
            assert "v" not in engine._sent.whole
        finally:
            await engine.close()

    async def engine_usage(engine, asked):
        from dataclasses import replace

        events = [event async for event in engine.respond(replace(asked, id="again"))]
        return events[-1].usage

    asyncio.run(main())
