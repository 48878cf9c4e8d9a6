"""One response: from `response.created` to its one `response.done`.

A pure life cycle: each call takes what the engine did and returns what the client is to see. Whatever
comes after the end is nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from engine import Usage
from realtime.protocol.ids import Ids
from realtime.session.conversation import Conversation
from realtime.session.effects import Effect, Send, SendAudio
from realtime.session.item import Content, Item

Status = Literal["in_progress", "completed", "cancelled", "incomplete", "failed"]
_FRAME_BYTES = 1920 * 2
"""PCM16 of one frame of sound: 80 ms at 24 kHz, one audio token."""
Make = Callable[..., Send]
"""Makes an event from its type and fields, with an id."""


@dataclass(frozen=True, slots=True)
class ResponseSettings:
    """What holds for one response: the session's settings with the request's own over them."""

    modality: Literal["audio", "text"]
    voice: str
    max_output_tokens: int | Literal["inf"]
    metadata: dict[str, str] | None
    instructions: str


def usage_object(usage: Usage) -> dict[str, Any]:
    """The full form of `usage`; totals are sums of their parts."""
    text_in, audio_in = usage.input_text_tokens, usage.input_audio_tokens
    text_out, audio_out = usage.output_text_tokens, usage.output_audio_tokens
    cached_text, cached_audio = usage.cached_text_tokens, usage.cached_audio_tokens
    return {
        "total_tokens": text_in + audio_in + text_out + audio_out,
        "input_tokens": text_in + audio_in,
        "output_tokens": text_out + audio_out,
        "input_token_details": {
            "text_tokens": text_in,
            "audio_tokens": audio_in,
            "image_tokens": 0,
            "cached_tokens": cached_text + cached_audio,
            "cached_tokens_details": {
                "text_tokens": cached_text,
                "audio_tokens": cached_audio,
                "image_tokens": 0,
            },
        },
        "output_token_details": {"text_tokens": text_out, "audio_tokens": audio_out},
    }


class Response:
    """One answer in the making. Its item joins the conversation with its first word or sound."""

    def __init__(
        self,
        settings: ResponseSettings,
        conversation: Conversation,
        conversation_id: str,
        new_id: Ids,
        make: Make,
    ) -> None:
        self.id = new_id("resp")
        self.settings = settings
        self.status: Status = "in_progress"
        self._usage = Usage()
        self._conversation = conversation
        self._conversation_id = conversation_id
        self._make = make
        self._new_id = new_id
        self._item_id = new_id("item")
        self._item: Item | None = None
        self._previous: str | None = None
        self._text = ""
        self._sound_bytes = 0

    @property
    def active(self) -> bool:
        """It has not ended yet."""
        return self.status == "in_progress"

    def begin(self) -> list[Effect]:
        """`response.created`."""
        return [self._make("response.created", response=self._describe(None, None))]

    def started(self, usage: Usage) -> list[Effect]:
        """What the prompt has cost; from here on the response counts along, so that one which is cut
        off can say at once what it used."""
        self._usage = usage
        return []

    def text(self, delta: str, tokens: int) -> list[Effect]:
        """More words."""
        if not self.active or not delta:
            return []
        self._usage = replace(self._usage, output_text_tokens=self._usage.output_text_tokens + tokens)
        effects = self._open()
        self._text += delta
        part = self._part()
        part.text = self._text
        kind = "response.output_audio_transcript.delta" if part.spoken else "response.output_text.delta"
        return [*effects, self._make(kind, **self._where(), delta=delta)]

    def audio(self, pcm: bytes) -> list[Effect]:
        """More sound, PCM16 at 24 kHz."""
        if not self.active or not pcm or self.settings.modality == "text":
            return []
        effects = self._open()
        self._sound_bytes += len(pcm)
        self._usage = replace(self._usage, output_audio_tokens=-(-self._sound_bytes // _FRAME_BYTES))
        self._part().add_sound(pcm)
        return [*effects, SendAudio(self._new_id("event"), self.id, self._item_id, 0, 0, pcm)]

    def finish(
        self,
        status: Literal["completed", "cancelled", "incomplete", "failed"],
        *,
        reason: str | None = None,
        error: dict[str, str] | None = None,
        usage: Usage | None = None,
    ) -> list[Effect]:
        """Close every open part, then `response.done`; a second end is nothing."""
        if not self.active:
            return []
        self.status = status
        effects = self._close() if self._item else []
        details: dict[str, Any] | None = None
        if status != "completed":
            details = (
                {"type": status}
                | ({"reason": reason} if reason else {})
                | ({"error": error} if error else {})
            )
        body = self._describe(details, usage_object(Usage() if status == "failed" else usage or self._usage))
        return [*effects, self._make("response.done", response=body)]

    def _open(self) -> list[Effect]:
        """The output item and its one part, where they are not there yet."""
        if self._item:
            return []
        spoken = self.settings.modality == "audio"
        content = Content("output_audio" if spoken else "output_text", "", bytearray(), whole=False)
        self._item = Item(self._item_id, "assistant", [], status="in_progress")
        self._previous = self._conversation.add(self._item)
        shown = self._item.describe()
        self._item.content.append(content)
        part = {"type": "audio", "transcript": ""} if spoken else {"type": "text", "text": ""}
        return [
            self._make("response.output_item.added", response_id=self.id, output_index=0, item=shown),
            self._make("conversation.item.added", previous_item_id=self._previous, item=shown),
            self._make("response.content_part.added", **self._where(), part=part),
        ]

    def _close(self) -> list[Effect]:
        assert self._item is not None
        part = self._part()
        part.whole = self.status == "completed"
        self._item.status = "completed" if part.whole else "incomplete"
        effects: list[Effect] = []
        if part.spoken:
            done = {"type": "audio", "transcript": self._text}
            effects += [
                self._make("response.output_audio.done", **self._where()),
                self._make("response.output_audio_transcript.done", **self._where(), transcript=self._text),
            ]
        else:
            done = {"type": "text", "text": self._text}
            effects.append(self._make("response.output_text.done", **self._where(), text=self._text))
        shown = self._shown()
        return [
            *effects,
            self._make("response.content_part.done", **self._where(), part=done),
            self._make("conversation.item.done", previous_item_id=self._previous, item=shown),
            self._make("response.output_item.done", response_id=self.id, output_index=0, item=shown),
        ]

    def _shown(self) -> dict[str, Any]:
        """The item as this response made it: all of it, also where the client has truncated its item."""
        assert self._item is not None
        made = Content(self._part().kind, text=self._text)
        return Item(self._item.id, "assistant", [made], self._item.status).describe()

    def _part(self) -> Content:
        assert self._item is not None
        return self._item.content[0]

    def _where(self) -> dict[str, Any]:
        return {"response_id": self.id, "item_id": self._item_id, "output_index": 0, "content_index": 0}

    def _describe(self, details: dict[str, Any] | None, usage: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": self.status,
            "status_details": details,
            "output": [self._shown()] if self._item else [],
            "conversation_id": self._conversation_id,
            "output_modalities": [self.settings.modality],
            "max_output_tokens": self.settings.max_output_tokens,
            "audio": {
                "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": self.settings.voice}
            },
            "usage": usage,
            "metadata": self.settings.metadata,
        }
