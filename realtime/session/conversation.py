"""The conversation: its items in order, and what the model is shown of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import pybase64

from engine import Audio, Message, Part, Text
from realtime.protocol.errors import ProtocolError
from realtime.protocol.items import Role

BYTES_PER_MS = 48
"""PCM16 mono at 24 kHz."""
_LARGEST_RETRIEVED = 700_000
"""Bytes of sound that an answer may carry: some clients take frames of at most 1 MiB, base64 included."""

Kind = Literal["input_text", "input_audio", "output_text", "output_audio"]


@dataclass(slots=True)
class Content:
    """One part of an item: words (`text`), or sound (`pcm`) with its transcript in `text`.

    `audio_id` names the sound towards the engine. `cut` is set once sound was truncated: what the model
    still makes of this part is not kept.
    """

    kind: Kind
    text: str | None = None
    pcm: bytearray = field(default_factory=bytearray)
    audio_id: str = ""
    cut: bool = False

    @property
    def spoken(self) -> bool:
        return self.kind in ("input_audio", "output_audio")

    def describe(self, *, with_audio: bool = False) -> dict[str, Any]:
        """This part as items show it."""
        if not self.spoken:
            return {"type": self.kind, "text": self.text or ""}
        # A user's sound has no transcript until one is made; the key has to be there all the same.
        transcript = self.text if self.kind == "input_audio" else self.text or ""
        shown: dict[str, Any] = {"type": self.kind, "transcript": transcript}
        if with_audio and len(self.pcm) <= _LARGEST_RETRIEVED:
            shown["audio"] = pybase64.b64encode(self.pcm).decode()
        return shown

    def truncate(self, audio_end_ms: int) -> None:
        """Keep the first `audio_end_ms` of sound, and as much of the transcript as was said by then.

        Sound and words are not aligned, so the share of the sound kept is the share of words kept.
        """
        keep = audio_end_ms * BYTES_PER_MS
        if keep >= len(self.pcm):
            return
        words = (self.text or "").split()
        heard = len(words) * keep // len(self.pcm)
        self.text = " ".join(words[:heard])
        del self.pcm[keep:]
        self.cut = True


@dataclass(slots=True)
class Item:
    """One message of the conversation."""

    id: str
    role: Role
    content: list[Content]
    status: Literal["in_progress", "completed", "incomplete"] = "completed"

    def describe(self, *, with_audio: bool = False) -> dict[str, Any]:
        """This item as the protocol shows it."""
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
        """What the model is shown: a user's sound as sound, the model's own as the words it said."""
        parts: list[Part] = []
        for part in self.content:
            if part.kind == "input_audio":
                parts.append(Audio(part.audio_id, bytes(part.pcm)))
            elif part.text:
                parts.append(Text(part.text))
        return Message(self.role, tuple(parts)) if parts else None


class Conversation:
    """Items in order. Ids are unique."""

    def __init__(self, max_items: int) -> None:
        self._items: list[Item] = []
        self._max_items = max_items

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    @property
    def last_id(self) -> str | None:
        return self._items[-1].id if self._items else None

    def check_room(self) -> None:
        """Raises ProtocolError `conversation_full` where one more item is one too many."""
        if len(self._items) >= self._max_items:
            raise ProtocolError(
                "conversation_full",
                f"The conversation holds {self._max_items} items, its limit; delete some of them.",
                "item",
            )

    def add(self, item: Item, after: str | None = None) -> str | None:
        """Put an item after the one named, "root" for the front, None for the end.

        Returns:
            The id before it, None where it is first.

        Raises:
            ProtocolError: the id is taken, or there is no item to put it after.
        """
        if any(other.id == item.id for other in self._items):
            raise ProtocolError(
                "item_create_duplicate_item_id",
                f"Error adding item: an item with id '{item.id}' already exists.",
                "item.id",
            )
        if after is None:
            place = len(self._items)
        elif after == "root":
            place = 0
        else:
            place = (
                self._find(after, "item_create_invalid_previous_item_id", "adding", "previous_item_id") + 1
            )
        self._items.insert(place, item)
        return self._items[place - 1].id if place else None

    def get(self, item_id: str, verb: Literal["retrieve", "truncate"]) -> Item:
        """The item of this id. Raises ProtocolError, its code after the verb."""
        code = f"item_{verb}_invalid_item_id"
        return self._items[self._find(item_id, code, verb.removesuffix("e") + "ing", "item_id")]

    def delete(self, item_id: str) -> Item:
        """Remove an item and return it."""
        return self._items.pop(self._find(item_id, "item_delete_invalid_item_id", "deleting", None))

    def messages(self) -> tuple[Message, ...]:
        """The conversation as the model is shown it."""
        shown = (item.message() for item in self._items)
        return tuple(message for message in shown if message is not None)

    def _find(self, item_id: str, code: str, doing: str, param: str | None) -> int:
        for place, item in enumerate(self._items):
            if item.id == item_id:
                return place
        raise ProtocolError(code, f"Error {doing} item: the item with id '{item_id}' does not exist.", param)
