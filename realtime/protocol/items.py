"""Conversation items as a client may create them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from realtime.protocol.errors import ProtocolError, unsupported
from realtime.protocol.events import decode_audio
from realtime.protocol.validation import Str, Wire, check, kind_of, show

Role = Literal["system", "user", "assistant"]


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
class NewItem:
    """A message to be put into the conversation; `id` None: the server names it."""

    id: str | None
    role: Role
    content: tuple[NewText | NewAudio, ...]


class _Message(Wire):
    id: Str | None = None
    role: Literal["system", "user", "assistant"]
    content: list[dict[str, Any]]


_NOT_YET = {
    "function_call": "function calls are not available on this server yet",
    "function_call_output": "function calls are not available on this server yet",
    "mcp_list_tools": "MCP is not available on this server",
    "mcp_call": "MCP is not available on this server",
    "mcp_approval_request": "MCP is not available on this server",
    "mcp_approval_response": "MCP is not available on this server",
}

_TEXT_TYPES: dict[str, tuple[str, ...]] = {
    "system": ("input_text", "text"),
    "user": ("input_text", "text"),
    "assistant": ("output_text", "text", "input_text", "output_audio", "audio"),
}
"""What each role may say in words. A client's assistant turns are words alone: sound that comes with a
transcript is taken by its transcript."""


def read_item(item: dict[str, Any], max_audio_bytes: int) -> NewItem:
    """An item of a `conversation.item.create`.

    Raises:
        ProtocolError: with the path of what is wrong, from `item` on.
    """
    kind = item.get("type")
    if kind is None:
        raise ProtocolError(
            "missing_required_parameter", "Missing required parameter: 'item.type'.", "item.type"
        )
    if isinstance(kind, str) and kind in _NOT_YET:
        raise unsupported("item.type", f"{_NOT_YET[kind]}; create message items.")
    if kind != "message":
        raise ProtocolError(
            "invalid_value", f"Invalid value: {show(kind)}. Supported values are: 'message'.", "item.type"
        )
    message = check(_Message, item, "item")
    if message.id == "" or len(message.id or "") > 512:
        raise ProtocolError("invalid_value", "'item.id' holds 1 to 512 characters.", "item.id")
    content = tuple(
        _read_part(part, message.role, f"item.content[{index}]", max_audio_bytes)
        for index, part in enumerate(message.content)
    )
    if not content and message.role != "assistant":
        raise ProtocolError("invalid_value", "'item.content' holds at least one part.", "item.content")
    return NewItem(message.id, message.role, content)


def _read_part(part: dict[str, Any], role: Role, at: str, max_audio_bytes: int) -> NewText | NewAudio:
    kind = part.get("type")
    if role == "user" and kind == "input_audio":
        pcm = decode_audio(part.get("audio"), f"{at}.audio", max_audio_bytes)
        if not pcm or len(pcm) % 2:
            raise ProtocolError(
                "invalid_value",
                f"'{at}.audio' holds a whole number of 16-bit samples, at least one.",
                f"{at}.audio",
            )
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
