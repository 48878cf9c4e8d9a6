"""`POST /v1/chat/completions`: what may be asked, in OpenAI's form and in the official Chroma server's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from engine import (
    Audio,
    Call,
    CallOutput,
    Message,
    Part,
    Reference,
    Request,
    Text,
    Tool,
    ToolChoice,
    Truncation,
)
from realtime.protocol.errors import ProtocolError, unsupported
from realtime.protocol.ids import random_id
from realtime.protocol.tools import FunctionTool
from realtime.protocol.validation import Bool, Int, Number, Str, Wire, check, refuse, show
from realtime.protocol.values import STOCK_VOICES
from realtime.server.rest.sound_files import RAW, check_container
from realtime.session.call_order import in_call_order

Decode = Callable[[Any, str, str | None], bytes]
"""From what a request holds as sound, its path and its declared format, to PCM16 at 24 kHz."""


def _nothing(what: str) -> BeforeValidator:
    def check(value: Any) -> None:
        if value not in (None, False):
            raise refuse("unsupported_value", what)

    return BeforeValidator(check)


class _Audio(Wire):
    voice: Str | dict[str, Any] | None = None
    format: Str = ""


class _StreamOptions(Wire):
    include_usage: Bool = False


class _Tool(Wire):
    type: Literal["function"]
    function: dict[str, Any]


class _Body(Wire):
    messages: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1000)]
    modalities: list[Literal["text", "audio"]] | None = None
    audio: _Audio | None = None
    stream: Bool | None = None
    stream_options: _StreamOptions | None = None
    tools: Annotated[list[_Tool], Field(max_length=128)] | None = None
    tool_choice: Any = None
    max_tokens: Annotated[Int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[Int, Field(ge=1)] | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Number, Field(ge=0, le=1)] | None = None
    seed: Int | None = None
    n: Annotated[Int, Field(ge=1, le=1)] | None = None
    logprobs: Annotated[None, _nothing("log probabilities are not given; leave it out")] = None
    # The official server's own.
    return_audio: Bool | None = None
    prompt_text: Str | None = None
    prompt_audio: Str | None = None
    audio_format: Str | None = None


@dataclass(frozen=True, slots=True)
class Chat:
    """What was asked: the engine's request, and how it is answered. `container` is the sound's format.
    `flat`: the sound stands beside the message, as the official server has it."""

    request: Request
    container: str
    stream: bool
    include_usage: bool
    flat: bool


def read_chat(data: dict[str, Any], decode: Decode) -> Chat:
    """Reads a body. May take long: sound is decoded.

    Raises:
        ProtocolError: with the path of what is wrong.
    """
    body = check(_Body, data)
    if (data.get("response_format") or {"type": "text"}) != {"type": "text"}:
        raise unsupported("response_format", "Only text is answered; leave out 'response_format'.")
    own = (body.return_audio, body.prompt_text, body.prompt_audio, body.audio_format)
    flat = any(value is not None for value in own) or _has_plain_sound(body.messages)
    if body.modalities is not None:
        speak = "audio" in body.modalities
    else:
        speak = body.return_audio is not False if flat else body.audio is not None
    stream = bool(body.stream)
    tools = tuple(_tool(tool, f"tools[{index}]") for index, tool in enumerate(body.tools or ()))
    request = Request(
        id=random_id("chatcmpl"),
        messages=_messages(body.messages, decode),
        voice=_voice(body, decode),
        speak=speak,
        max_tokens=body.max_completion_tokens or body.max_tokens,
        temperature=body.temperature,
        top_p=body.top_p,
        seed=body.seed,
        tools=tools,
        tool_choice=_choice(body.tool_choice, tools),
        truncation=Truncation(),
    )
    include = body.stream_options is not None and body.stream_options.include_usage
    return Chat(request, _container(body, stream and speak), stream, include, flat)


def _messages(raw: list[dict[str, Any]], decode: Decode) -> tuple[Message, ...]:
    read = [(each, _message(each, f"messages[{index}]", decode)) for index, each in enumerate(raw)]
    ordered = in_call_order(read, lambda pair: _called(pair[0]), lambda pair: _answered(pair[0]))
    return tuple(message for _, message in ordered)


def _called(raw: dict[str, Any]) -> list[str]:
    """The ids of the calls in a message that has been read."""
    calls = raw.get("tool_calls") or () if raw["role"] == "assistant" else ()
    return [str(call.get("id")) for call in calls]


def _answered(raw: dict[str, Any]) -> str | None:
    return str(raw.get("tool_call_id")) if raw["role"] == "tool" else None


def _has_plain_sound(messages: list[dict[str, Any]]) -> bool:
    contents = [message.get("content") for message in messages]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return any(isinstance(part, dict) and part.get("type") == "audio" for part in parts)


def _container(body: _Body, streamed: bool) -> str:
    given = body.audio_format or (body.audio.format if body.audio else "")
    param = "audio_format" if body.audio_format else "audio.format"
    if streamed and given not in ("", *RAW):
        raise unsupported(param, f"Sound is streamed as pcm16; use it, or 'stream': false for {show(given)}.")
    return check_container(given or ("pcm16" if streamed else "wav"), param)


def _voice(body: _Body, decode: Decode) -> str | Reference | None:
    if (body.prompt_text is None) != (body.prompt_audio is None):
        missing = "prompt_text" if body.prompt_text is None else "prompt_audio"
        message = f"Missing required parameter: '{missing}': a voice needs both its sound and its words."
        raise ProtocolError("missing_required_parameter", message, missing)
    if body.prompt_text is not None and body.prompt_audio is not None:
        if not body.prompt_text.strip():
            raise ProtocolError(
                "invalid_value", "'prompt_text' holds the words of the sample.", "prompt_text"
            )
        pcm = decode(body.prompt_audio, "prompt_audio", None)
        return Reference(random_id("voice"), body.prompt_text.strip(), pcm)
    voice = body.audio.voice if body.audio else None
    if isinstance(voice, dict):
        voice = voice.get("id")
    # A stock client names one of OpenAI's without being asked.
    return None if voice is None or voice in STOCK_VOICES else str(voice)


def _message(raw: dict[str, Any], at: str, decode: Decode) -> Message:
    role, content = raw.get("role"), raw.get("content")
    if role not in ("system", "developer", "user", "assistant", "tool"):
        raise ProtocolError(
            "missing_required_parameter" if role is None else "invalid_value",
            f"Invalid '{at}.role': {show(role)}. Supported values are: 'system', 'developer', 'user',"
            " 'assistant' and 'tool'.",
            f"{at}.role",
        )
    if role == "tool":
        return Message("tool", (CallOutput(_words(content, f"{at}.content")),))
    if role == "assistant":
        return Message("assistant", _said(raw, at))
    if role != "user":
        return Message("system", (Text(_words(content, f"{at}.content")),))
    if not isinstance(content, list):
        return Message("user", (Text(_words(content, f"{at}.content")),))
    parts = (_part(part, f"{at}.content[{index}]", decode) for index, part in enumerate(content))
    return Message("user", tuple(parts))


def _said(raw: dict[str, Any], at: str) -> tuple[Part, ...]:
    if raw.get("audio"):
        raise unsupported(f"{at}.audio", "Answers are not kept here: send their transcript as 'content'.")
    content = raw.get("content")
    parts: list[Part] = [Text(_words(content, f"{at}.content"))] if content else []
    for index, call in enumerate(raw.get("tool_calls") or ()):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not all(
            isinstance(function.get(name), str) for name in ("name", "arguments")
        ):
            param = f"{at}.tool_calls[{index}].function"
            raise ProtocolError("invalid_value", f"'{param}' holds a 'name' and 'arguments'.", param)
        parts.append(Call(function["name"], function["arguments"]))
    return tuple(parts)


def _words(content: Any, at: str) -> str:
    if isinstance(content, list) and all(
        isinstance(part, dict) and isinstance(part.get("text"), str) for part in content
    ):
        return "".join(part["text"] for part in content)
    if not isinstance(content, str):
        raise ProtocolError("invalid_type", f"Invalid type for '{at}': expected a string or text parts.", at)
    return content


def _part(part: Any, at: str, decode: Decode) -> Part:
    kind = part.get("type") if isinstance(part, dict) else None
    if kind == "text" and isinstance(part.get("text"), str):
        return Text(part["text"])
    if kind == "audio":
        return Audio(random_id("audio"), decode(part.get("audio"), f"{at}.audio", None))
    if kind == "input_audio":
        given = part.get("input_audio")
        if not isinstance(given, dict):
            raise ProtocolError(
                "missing_required_parameter", f"Missing '{at}.input_audio'.", f"{at}.input_audio"
            )
        pcm = decode(given.get("data"), f"{at}.input_audio.data", given.get("format"))
        return Audio(random_id("audio"), pcm)
    if kind == "image_url":
        raise unsupported(f"{at}.type", "This model does not see: send text or input_audio parts.")
    raise ProtocolError(
        "invalid_value",
        f"Invalid '{at}': expected a part of type 'text' (with 'text'), 'input_audio' or 'audio'.",
        f"{at}.type",
    )


def _tool(tool: _Tool, at: str) -> Tool:
    function = check(FunctionTool, {"type": "function", **tool.function}, f"{at}.function")
    return Tool(function.name, function.description or "", function.parameters)


def _choice(choice: Any, tools: tuple[Tool, ...]) -> ToolChoice:
    if choice is None:
        return ToolChoice()
    if choice in ("none", "auto") or (choice == "required" and tools):
        return ToolChoice(choice)
    function = choice.get("function") if isinstance(choice, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if isinstance(name, str) and name in [tool.name for tool in tools]:
        return ToolChoice("required", name)
    message = "Invalid 'tool_choice': expected 'none', 'auto', 'required' or one of the tools' functions."
    raise ProtocolError("invalid_value", message, "tool_choice")
