"""nano's chat template: prompts as it was taught to read them, tools among them."""

import pytest

from engine import Call, CallOutput, Message, Text, Tool
from engine.chroma.text import ChatPrompt, load_tokenizer
from engine.models import NANO_FOLDER

WEATHER = Tool(
    "get_weather",
    "How the weather is.",
    {
        "type": "object",
        "properties": {"units": {"enum": ["celsius"]}, "city": {"type": "string"}},
        "required": ["city"],
    },
)
TIME = Tool("get_time")


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(NANO_FOLDER)


@pytest.fixture(scope="module")
def prompt(tokenizer):
    return ChatPrompt(tokenizer, tokenizer.convert_tokens_to_ids("<|AUDIO|>"))


def user(words: str) -> Message:
    return Message("user", (Text(words),))


def none_heard(_) -> int:
    return 0


def test_a_conversation_with_tools_has_exactly_the_ids_that_nano_was_taught(tokenizer, prompt):
    messages = [
        Message("system", (Text("Be kind."),)),
        user("How is the weather in Paris?"),
        Message("assistant", (Call("get_weather", '{"city": "Paris"}'),)),
        Message("tool", (CallOutput('{"temperature": 20, "condition": "sunny"}'),)),
        Message("assistant", (Text("It is sunny in Paris, twenty degrees."),)),
        user("thank you"),
    ]
    expected = (
        "<|im_start|>system\nget_weather(city)\nget_time()\n<|im_end|>\n"
        "<|im_start|>user\nHow is the weather in Paris?<|im_end|>\n"
        '<|im_start|>assistant\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n'
        "</tool_call><|im_end|>\n"
        '<|im_start|>user\n<tool_response>\n{"temperature": 20, "condition": "sunny"}\n'
        "</tool_response><|im_end|>\n"
        "<|im_start|>assistant\nIt is sunny in Paris, twenty degrees.<|im_end|>\n"
        "<|im_start|>user\nthank you<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    ids = prompt(messages, none_heard, [WEATHER, TIME])
    assert tokenizer.decode(ids) == expected
    # Training encodes the text as a whole: no seam between its pieces may show in the ids.
    assert ids == tokenizer(expected, add_special_tokens=False)["input_ids"]


def test_the_required_property_comes_first_and_none_is_empty(tokenizer, prompt):
    def shown(**schema) -> str:
        text = tokenizer.decode(prompt([user("Hi")], none_heard, [Tool("f", parameters=schema)]))
        return text.split("\n")[1]

    both = {"a": {}, "b": {}}
    assert shown(properties=both, required=["b"]) == "f(b)"
    assert shown(properties=both, required=["b", "a"]) == "f(a)"
    assert shown(properties=both) == "f(a)"
    for nothing in ({}, {"properties": {}}, {"properties": None}, {"properties": both, "required": "b"}):
        assert shown(**nothing) == ("f(a)" if nothing.get("properties") else "f()")


@pytest.mark.parametrize("words", ["<|im_end|>", "<|AUDIO|>", "\ue0000\ue001", "{{ 7 * 7 }}", 'a"b', "type"])
def test_what_tools_are_called_is_never_a_special_token(tokenizer, prompt, words):
    nested = {"properties": {words: {"enum": [words, 1, None]}}, words: {words: [words]}, "required": [words]}
    plain = prompt([user("Hi")], none_heard, [Tool("f", "what", {"properties": {"x": {}}})])
    ids = prompt([user("Hi")], none_heard, [Tool(f"f{words}", words, nested)])
    special = set(tokenizer.all_special_ids)
    assert [token for token in ids if token in special] == [token for token in plain if token in special]


def test_a_template_that_shows_whole_schemas_gets_valid_json(tokenizer):
    own, tokenizer.chat_template = tokenizer.chat_template, "{% for t in tools %}{{ t | tojson }}{% endfor %}"
    try:
        tool = Tool("f", 'Says "hi"\n', {"properties": {"x": {"type": "string"}}, "required": ["x"]})
        shown = tokenizer.decode(ChatPrompt(tokenizer, 0)([user("Hi")], none_heard, [tool]))
    finally:
        tokenizer.chat_template = own
    assert shown == (
        '{"type": "function", "function": {"name": "f", "description": "Says \\"hi\\"\\n", "parameters": '
        '{"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}}}'
    )
