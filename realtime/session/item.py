"""An item of the conversation and its parts: words, or sound with its transcript."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import pybase64

from engine import Audio, Message, Part, Text
from realtime.protocol.items import Role

BYTES_PER_MS = 48
"""PCM16 mono at 24 kHz."""
_BYTES_PER_CHARACTER = 65 * BYTES_PER_MS
"""What a written character takes to be said: about 15 a second."""
_LARGEST_RETRIEVED = 700_000
"""Bytes of sound that an answer may carry: some clients take frames of at most 1 MiB, base64 included."""

Kind = Literal["input_text", "input_audio", "output_text", "output_audio"]


@dataclass(slots=True)
class Content:
    """One part of an item: words (`text`), or sound (`pcm`) with its transcript in `text`.

    `audio_id` names the sound towards the engine. `made` counts the bytes of sound there ever were,
    `limit` is how many of them are kept (None: all), `whole` says that words and sound are both complete.
    """

    kind: Kind
    text: str | None = None
    pcm: bytes | bytearray = b""
    audio_id: str = ""
    whole: bool = True
    made: int = field(init=False)
    limit: int | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.made = len(self.pcm)

    @property
    def spoken(self) -> bool:
        return self.kind in ("input_audio", "output_audio")

    def add_sound(self, pcm: bytes) -> None:
        """More sound of an answer in the making; what lies beyond a truncation is not kept."""
        assert isinstance(self.pcm, bytearray)
        self.made += len(pcm)
        self.pcm += pcm
        self._cut()

    def truncate(self, audio_end_ms: int) -> None:
        """Keep at most the first `audio_end_ms` of sound, and of the transcript what was said by then.
        Nothing comes back: a later, larger mark changes nothing."""
        keep = audio_end_ms * BYTES_PER_MS
        if self.whole and keep >= self.made:
            return
        self.limit = keep if self.limit is None else min(self.limit, keep)
        self._cut()

    def _cut(self) -> None:
        if self.limit is not None and len(self.pcm) > self.limit:
            self.pcm = self.pcm[: self.limit]

    def kept_text(self) -> str:
        """The words, up to where they were truncated.

        Sound and words are not aligned: the share of sound kept is the share of words kept, down to a
        whole word. Words run ahead of sound, so for an answer that was cut off while it was made the
        length of all its sound is estimated from its words.
        """
        text = self.text or ""
        if self.limit is None:
            return text
        total = self.made if self.whole else max(self.made, len(text) * _BYTES_PER_CHARACTER)
        if self.limit >= total:
            return text
        end = len(text) * self.limit // total
        while end and not (text[end].isspace() or text[end - 1].isspace()):
            end -= 1
        return text[:end].rstrip()

    def describe(self, *, with_audio: bool = False) -> dict[str, Any]:
        """This part as items show it."""
        if not self.spoken:
            return {"type": self.kind, "text": self.text or ""}
        # A user's sound has no transcript until one is made; the key has to be there all the same.
        transcript = self.text if self.kind == "input_audio" else self.kept_text()
        shown: dict[str, Any] = {"type": self.kind, "transcript": transcript}
        if with_audio:
            shown["audio"] = pybase64.b64encode(self.pcm).decode()
        return shown


@dataclass(slots=True)
class Item:
    """One message of the conversation."""

    id: str
    role: Role
    content: list[Content]
    status: Literal["in_progress", "completed", "incomplete"] = "completed"

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
        """What the model is shown: a user's sound as sound, the model's own as the words it said."""
        parts: list[Part] = []
        for part in self.content:
            if part.kind == "input_audio":
                parts.append(Audio(part.audio_id, bytes(part.pcm)))
            elif text := part.kept_text():
                parts.append(Text(text))
        return Message(self.role, tuple(parts)) if parts else None
