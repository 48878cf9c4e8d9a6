"""Function calls: shown whole, after what is spoken, and told to the model again."""

from dataclasses import replace

import pytest
from driving import FRAME, USAGE, Driver, types

from engine import (
    AudioDelta,
    Call,
    CallOutput,
    Finished,
    Message,
    Text,
    TextDelta,
    Tool,
    ToolCall,
    ToolChoice,
)

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TIME = {"type": "function", "name": "time", "description": "What time it is.", "parameters": SCHEMA}
DONE = Finished("completed", USAGE)
CALL = ToolCall("time", '{"city": "Köln"}', tokens=9)
A_CALL = [
    "response.output_item.added",
    "conversation.item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "conversation.item.done",
    "response.output_item.done",
]


@pytest.fixture
def driver():
    driver = Driver()
    driver.send("session.update", session={"type": "realtime", "tools": [TIME]})
    return driver


def test_a_call_has_its_events_and_its_item(driver):
    driver.say("What time is it?")
    response = driver.respond()
    events = driver.engine(response, CALL, DONE)
    assert types(events) == [*A_CALL, "response.done"]
    added, _, delta, done, _, item_done = events[:-1]
    assert (added["item"]["status"], added["item"]["arguments"]) == ("in_progress", "")
    assert item_done["item"] == events[-1]["response"]["output"][0]
    assert item_done["item"]["status"] == "completed"
    assert delta["delta"] == done["arguments"] == item_done["item"]["arguments"] == '{"city": "Köln"}'
    assert done["name"] == added["item"]["name"] == "time"
    assert (
        len({added["item"]["call_id"], delta["call_id"], done["call_id"], item_done["item"]["call_id"]}) == 1
    )
    assert len(added["item"]["call_id"]) <= 32


def test_the_round_trip_is_told_to_the_model(driver):
    driver.say("What time is it?")
    call = driver.engine(driver.respond(), TextDelta("Wait."), CALL, CALL, DONE)[-1]["response"]["output"]
    for item in call[1:]:
        output = {"type": "function_call_output", "call_id": item["call_id"], "output": "Noon."}
        assert types(driver.send("conversation.item.create", item=output)) == [
            "conversation.item.added",
            "conversation.item.done",
        ]
    driver.respond()
    request = driver.requests()[-1]
    assert request.tools == (Tool("time", "What time it is.", SCHEMA),)
    assert request.messages[2:] == (
        Message("assistant", (Text("Wait."), Call("time", CALL.arguments), Call("time", CALL.arguments))),
        Message("tool", (CallOutput("Noon."),)),
        Message("tool", (CallOutput("Noon."),)),
    )


def test_what_tools_answered_is_told_in_the_order_of_the_calls(driver):
    driver.say("Paris and Rome?")
    other = replace(CALL, arguments='{"city": "Rome"}')
    calls = driver.engine(driver.respond(), CALL, other, DONE)[-1]["response"]["output"]
    for item, output in ((calls[1], "Rome"), (calls[0], "Paris")):
        answer = {"type": "function_call_output", "call_id": item["call_id"], "output": output}
        driver.send("conversation.item.create", item=answer)
    stray = {"type": "function_call_output", "call_id": "nobody's", "output": "?"}
    driver.send("conversation.item.create", item=stray)
    driver.respond()
    told = [message.parts[0].output for message in driver.requests()[-1].messages[3:]]
    assert told == ["Paris", "Rome", "?"]


def test_a_call_waits_until_what_is_said_before_it_is_spoken(driver):
    response = driver.respond()
    assert types(driver.engine(response, TextDelta("One moment."), AudioDelta(FRAME)))[-1].endswith("delta")
    assert driver.engine(response, CALL) == []
    assert types(driver.engine(response, AudioDelta(FRAME))) == ["response.output_audio.delta"]
    events = driver.engine(response, DONE)
    assert types(events) == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        *A_CALL,
        "response.done",
    ]
    assert [item["type"] for item in events[-1]["response"]["output"]] == ["message", "function_call"]
    assert [event["output_index"] for event in events if "output_index" in event] == [0] * 4 + [1] * 4


def test_written_words_end_before_the_call(driver):
    response = driver.respond(output_modalities=["text"])
    events = driver.engine(response, TextDelta("One moment."), CALL, TextDelta("never said"), DONE)
    assert types(events)[-len(A_CALL) - 2 :] == ["response.output_item.done", *A_CALL, "response.done"]
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "One moment."


@pytest.mark.parametrize("parallel", [None, True, False])
def test_parallel_calls_may_be_forbidden(driver, parallel):
    fields = {} if parallel is None else {"parallel_tool_calls": parallel}
    events = driver.engine(driver.respond(**fields), CALL, CALL, DONE)
    assert len(events[-1]["response"]["output"]) == (1 if parallel is False else 2)


def test_what_is_cancelled_before_its_call_is_shown_never_calls(driver):
    response = driver.respond()
    driver.engine(response, TextDelta("One"), AudioDelta(FRAME), CALL)
    events = driver.send("response.cancel")
    assert [item["type"] for item in events[-1]["response"]["output"]] == ["message"]


def test_a_malformed_call_fails_the_response(driver):
    error = Finished("failed", code="malformed_tool_call", message="the model wrote a tool call that …")
    done = driver.engine(driver.respond(), error)[-1]["response"]
    assert done["status"] == "failed"
    assert done["status_details"]["error"]["code"] == "malformed_tool_call"
    assert done["output"] == []


def test_a_length_limit_leaves_whole_calls_whole(driver):
    events = driver.engine(
        driver.respond(), TextDelta("One"), AudioDelta(FRAME), CALL, Finished("length", USAGE)
    )
    assert [item["status"] for item in events[-1]["response"]["output"]] == ["incomplete", "completed"]


@pytest.mark.parametrize(
    ("choice", "meant"),
    [
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ({"type": "function", "name": "time"}, ToolChoice("required", "time")),
    ],
)
def test_the_choice_is_passed_on(driver, choice, meant):
    (updated,) = driver.send("session.update", session={"type": "realtime", "tool_choice": choice})
    assert updated["session"]["tool_choice"] == choice
    driver.respond()
    assert driver.requests()[-1].tool_choice == meant


def test_a_response_may_have_other_tools_or_none(driver):
    driver.engine(driver.respond(tools=[]), DONE)
    assert driver.requests()[-1].tools == ()
    other = {"type": "function", "name": "weather"}
    driver.respond(tools=[other], tool_choice={"type": "function", "name": "weather"})
    request = driver.requests()[-1]
    assert [tool.name for tool in request.tools] == ["weather"]
    assert request.tool_choice == ToolChoice("required", "weather")


def test_a_history_of_calls_is_replayed_as_it_is(driver):
    call = {"type": "function_call", "id": "fc", "call_id": "c", "name": "gone", "arguments": "{}"}
    (added, _) = driver.send("conversation.item.create", item=call)
    assert added["item"] | call == added["item"]
    driver.send(
        "conversation.item.create", item={"type": "function_call_output", "call_id": "other", "output": "?"}
    )
    (retrieved,) = driver.send("conversation.item.retrieve", item_id="fc")
    assert retrieved["item"]["name"] == "gone"
    error = driver.error("conversation.item.truncate", item_id="fc", content_index=0, audio_end_ms=0)
    assert (error["code"], error["param"]) == ("invalid_value", "content_index")
    driver.respond()
    assert driver.requests()[-1].messages[1:] == (
        Message("assistant", (Call("gone", "{}"),)),
        Message("tool", (CallOutput("?"),)),
    )
