"""Calls in the model's text: recognised however it is cut, never among the words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import EngineError, ToolCall
from engine.tool_calls import CallReader

TOOLS = ("time", "weather")
CALL = '<tool_call>\n{"name": "time", "arguments": {"city": "Köln"}}\n</tool_call>'
TIME = ToolCall("time", '{"city": "Köln"}')


def read(pieces, tools=TOOLS):
    reader = CallReader(tools)
    found = [one for piece in pieces if not reader.over for one in reader.add(piece)]
    found += [] if reader.over else reader.rest()
    words = "".join(one for one in found if isinstance(one, str))
    return words, [one for one in found if not isinstance(one, str)]


@pytest.mark.parametrize(
    ("text", "words", "calls"),
    [
        ("", "", []),
        ("Hello there. ", "Hello there. ", []),
        ("1 < 2 and <b> is a tag, <tool_calls> is not", "1 < 2 and <b> is a tag, <tool_calls> is not", []),
        ("half a <tool_c", "half a <tool_c", []),
        (CALL, "", [TIME]),
        (f"\n {CALL}\n", "", [TIME]),
        (f"One moment.\n{CALL}", "One moment.", [TIME]),
        (f"{CALL}\n{CALL}{CALL}", "", [TIME] * 3),
        (f"{CALL} It is noon. {CALL}", "", [TIME]),
        ('<tool_call>{"name": "weather"}</tool_call>', "", [ToolCall("weather", "{}")]),
        (
            '<tool_call>{"name":"time","arguments":{"city":"K\\u00f6ln"}}</tool_call>',
            "",
            [TIME],
        ),
        (
            '<tool_call>{"name": "time", "arguments": {"a": "</tool_cal"}}</tool_call>',
            "",
            [ToolCall("time", '{"a": "</tool_cal"}')],
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_words_and_calls(text, words, calls, size):
    assert read([text[at : at + size] for at in range(0, len(text), size)]) == (words, calls)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<tool_call>", "ended in the middle"),
        (CALL[:-3], "ended in the middle"),
        ("<tool_call>time()</tool_call>", "not valid JSON"),
        ("<tool_call>[1]</tool_call>", "no JSON object"),
        ('<tool_call>{"name": 5}</tool_call>', "no JSON object with a name"),
        ('<tool_call>{"name": "rm"}</tool_call>', "the tools are: time, weather"),
        ('<tool_call>{"name": "time", "arguments": "noon"}</tool_call>', "arguments are no JSON object"),
        (f"<tool_call>{CALL}", "another one begins"),
    ],
)
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_malformed_calls(text, why, size):
    with pytest.raises(EngineError, match=why) as caught:
        read([text[at : at + size] for at in range(0, len(text), size)])
    assert caught.value.code == "malformed_tool_call"


def test_a_call_without_tools_is_malformed_and_not_said():
    reader = CallReader(())
    assert reader.add("Well. <tool_call>") == ["Well."]
    with pytest.raises(EngineError, match="the tools are: none"):
        reader.add('{"name": "time"}</tool_call>')


parts = st.lists(
    st.sampled_from([CALL, " ", "\n", "<", "tool", "<tool_call", ">", "Hi ", "é", "</tool_call>"])
    | st.text(),
    max_size=8,
)


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_where_nothing_is_to_be_called_a_call_ends_the_answer(size):
    text = f"Sure. {CALL}\nAnd more."
    reader = CallReader(TOOLS, words_only=True)
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    found = [one for piece in pieces if not reader.over for one in reader.add(piece)]
    assert ("".join(found), reader.over) == ("Sure.", True)


@given(parts, st.data())
def test_any_cut_reads_the_same(parts, data):
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    def outcome(pieces):
        try:
            return read(pieces)
        except EngineError as error:
            return error.message

    whole = outcome([text])
    assert outcome(pieces) == whole
    if isinstance(whole, tuple):
        assert "<tool_call>" not in whole[0]
        for call in whole[1]:
            assert isinstance(json.loads(call.arguments), dict)
