"""Conversation items as a client may create them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from realtime.protocol.errors import ProtocolError, unsupported
from realtime.protocol.validation import Str, Wire, check, kind_of, show

Role = Literal["system", "user", "assistant"]
DecodeAudio = Callable[[Any, str], bytes]
"""From base64 in the session's input format, and its path, to PCM16 at 24 kHz. Raises ProtocolError."""
LONGEST_ID = 512


@dataclass(frozen=True, slots=True)
class NewText:
    """Words."""

    text: str


@dataclass(frozen=True, slots=True)
class NewAudio:
    """The user's sound, PCM16 mono at 24 kHz, with its transcript where the client knows it."""

    pcm: bytes
    transcript: str | None


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be put into the conversation; `id` None: the server names it."""

    id: str | None
    role: Role
    content: tuple[NewText | NewAudio, ...]


@dataclass(frozen=True, slots=True)
class NewCall:
    """A call that was made before, replayed by the client."""

    id: str | None
    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class NewCallOutput:
    """What the client's function answered."""

    id: str | None
    call_id: str
    output: str


NewItem = NewMessage | NewCall | NewCallOutput


class _Message(Wire):
    id: Str | None = None
    role: Literal["system", "user", "assistant"]
    content: list[dict[str, Any]]


class _Call(Wire):
    id: Str | None = None
    call_id: Str | None = None
    name: Str
    arguments: Str


class _CallOutput(Wire):
    id: Str | None = None
    call_id: Str
    output: Str


_KINDS = ("message", "function_call", "function_call_output")
_MCP = ("mcp_list_tools", "mcp_call", "mcp_approval_request", "mcp_approval_response")

_TEXT_TYPES: dict[str, tuple[str, ...]] = {
    "system": ("input_text", "text"),
    "user": ("input_text", "text"),
    "assistant": ("output_text", "text", "input_text", "output_audio", "audio"),
}
"""What each role may say in words. A client's assistant turns are words alone: sound that comes with a
transcript is taken by its transcript."""


def read_item(item: dict[str, Any], decode: DecodeAudio, at: str = "item") -> NewItem:
    """An item that a client made.

    Raises:
        ProtocolError: with the path of what is wrong, from `at` on.
    """
    kind = item.get("type")
    if kind is None:
        raise ProtocolError(
            "missing_required_parameter", f"Missing required parameter: '{at}.type'.", f"{at}.type"
        )
    if kind in _MCP:
        raise unsupported(
            f"{at}.type",
            "MCP is not run by this server: offer a server's tools as functions, and their calls"
            " and outputs as function_call and function_call_output items.",
        )
    if kind not in _KINDS:
        names = ", ".join(f"'{name}'" for name in _KINDS)
        raise ProtocolError(
            "invalid_value", f"Invalid value: {show(kind)}. Supported values are: {names}.", f"{at}.type"
        )
    if kind == "message":
        return _read_message(check(_Message, item, at), decode, at)
    if kind == "function_call":
        call = check(_Call, item, at)
        return NewCall(_id(call.id, at), call.call_id or "", call.name, call.arguments)
    output = check(_CallOutput, item, at)
    return NewCallOutput(_id(output.id, at), output.call_id, output.output)


def _id(given: str | None, at: str) -> str | None:
    if given == "" or len(given or "") > LONGEST_ID:
        raise ProtocolError("invalid_value", f"'{at}.id' holds 1 to {LONGEST_ID} characters.", f"{at}.id")
    return given


def _read_message(message: _Message, decode: DecodeAudio, at: str) -> NewMessage:
    item_id = _id(message.id, at)
    content = tuple(
        _read_part(part, message.role, f"{at}.content[{index}]", decode)
        for index, part in enumerate(message.content)
    )
    if not content and message.role != "assistant":
        raise ProtocolError("invalid_value", f"'{at}.content' holds at least one part.", f"{at}.content")
    return NewMessage(item_id, message.role, content)


def _read_part(part: dict[str, Any], role: Role, at: str, decode: DecodeAudio) -> NewText | NewAudio:
    kind = part.get("type")
    if role == "user" and kind == "input_audio":
        pcm = decode(part.get("audio"), f"{at}.audio")
        transcript = part.get("transcript")
        if transcript is not None and not isinstance(transcript, str):
            raise _no_string(f"{at}.transcript", transcript)
        return NewAudio(pcm, transcript)
    if kind == "input_image":
        raise unsupported(f"{at}.type", "this model does not see: send input_text or input_audio.")
    if kind not in _TEXT_TYPES[role]:
        allowed = f"'{_TEXT_TYPES[role][0]}'" + (" and 'input_audio'" if role == "user" else "")
        wrong = (
            f"Invalid value: {show(kind)}" if kind is not None else f"Missing required parameter: '{at}.type'"
        )
        raise ProtocolError(
            "missing_required_parameter" if kind is None else "invalid_value",
            f"{wrong}. Supported values in a {role} message are: {allowed}.",
            f"{at}.type",
        )
    text = part.get("text")
    if text is None and kind in ("output_audio", "audio"):
        text = part.get("transcript")
    if text is None:
        # The live service asks for the words of an assistant's sound under this name too.
        param = f"{at}.text"
        raise ProtocolError(
            "missing_required_parameter", f"Missing required parameter: '{param}', a string.", param
        )
    if not isinstance(text, str):
        raise _no_string(f"{at}.text", text)
    return NewText(text)


def _no_string(param: str, given: Any) -> ProtocolError:
    return ProtocolError(
        "invalid_type",
        f"Invalid type for '{param}': expected a string, but got {kind_of(given)} instead.",
        param,
    )
