"""An item of the conversation: a message, a call of a tool, or what the tool answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from engine import Audio, Call, CallOutput, Message, Part, Text
from realtime.protocol.items import Role
from realtime.session.content import Content

_LARGEST_RETRIEVED = 700_000
"""Bytes of sound that an answer may carry: some clients take frames of at most 1 MiB, base64 included."""

Status = Literal["in_progress", "completed", "incomplete"]


@dataclass(slots=True)
class MessageItem:
    """What somebody said or wrote."""

    id: str
    role: Role
    content: list[Content]
    status: Status = "completed"

    def describe(self, *, with_audio: bool = False) -> dict[str, Any]:
        """This item as the protocol shows it; with its sound where that is asked for and not too long."""
        size = sum(len(part.pcm) + len((part.text or "").encode()) for part in self.content)
        with_audio = with_audio and size <= _LARGEST_RETRIEVED
        return {
            "id": self.id,
            "object": "realtime.item",
            "type": "message",
            "status": self.status,
            "role": self.role,
            "content": [part.describe(with_audio=with_audio) for part in self.content],
        }

    def audio_ids(self) -> tuple[str, ...]:
        """The sounds in it that the engine has been shown."""
        return tuple(part.audio_id for part in self.content if part.audio_id)

    def message(self) -> Message | None:
        """What the model is shown: a user's sound as sound, or by its transcript once it has been let go; the
        model's own as the words it said."""
        parts: list[Part] = []
        for part in self.content:
            if part.kind == "input_audio" and part.audio_id:
                parts.append(Audio(part.audio_id, bytes(part.pcm)))
            elif text := part.kept_text():
                parts.append(Text(text))
        return Message(self.role, tuple(parts)) if parts else None


@dataclass(slots=True)
class CallItem:
    """The model called a function of the client's."""

    id: str
    call_id: str
    name: str
    arguments: str
    status: Status = "completed"

    def describe(self, *, with_audio: bool = False) -> dict[str, Any]:
        """This item as the protocol shows it."""
        return {
            "id": self.id,
            "object": "realtime.item",
            "type": "function_call",
            "status": self.status,
            "call_id": self.call_id,
            "name": self.name,
            "arguments": self.arguments,
        }

    def audio_ids(self) -> tuple[str, ...]:
        return ()

    def message(self) -> Message | None:
        """What the model is shown."""
        return Message("assistant", (Call(self.name, self.arguments),))


@dataclass(slots=True)
class CallOutputItem:
    """What the client's function answered."""

    id: str
    call_id: str
    output: str
    status: Status = "completed"

    def describe(self, *, with_audio: bool = False) -> dict[str, Any]:
        """This item as the protocol shows it."""
        return {
            "id": self.id,
            "object": "realtime.item",
            "type": "function_call_output",
            "status": self.status,
            "call_id": self.call_id,
            "output": self.output,
        }

    def audio_ids(self) -> tuple[str, ...]:
        return ()

    def message(self) -> Message | None:
        """What the model is shown."""
        return Message("tool", (CallOutput(self.output),))


Item = MessageItem | CallItem | CallOutputItem
