"""One response as its client sees it: from `response.created` to its one `response.done`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from engine import Tool, ToolCall, ToolChoice, Usage
from realtime.audio.formats import SoundEncoder
from realtime.protocol.ids import Ids
from realtime.session.content import Content
from realtime.session.conversation import Conversation
from realtime.session.effects import Effect, SendAudio
from realtime.session.item import CallItem, MessageItem
from realtime.session.making import Make
from realtime.session.response_life import (
    CloseMessage,
    Finish,
    Happening,
    OpenMessage,
    ResponseState,
    ShowCall,
    ShowSound,
    ShowText,
    Step,
    next_state,
)


@dataclass(frozen=True, slots=True)
class ResponseSettings:
    """What holds for one response: the session's settings with the request's own over them."""

    modality: Literal["audio", "text"]
    voice: str
    format: dict[str, Any]
    speed: float
    max_output_tokens: int | Literal["inf"]
    metadata: dict[str, str] | None
    instructions: str
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = field(default_factory=ToolChoice)
    parallel: bool = True


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
    """One answer in the making: shows what its life's steps are. Its items join the conversation as they
    begin; without a conversation (out of band) they are its own alone.

    `shown` and `borrowed`: what the model is shown for it, as item ids for each message, and the sounds
    among it that nobody else needs.
    """

    def __init__(
        self,
        response_id: str,
        settings: ResponseSettings,
        conversation: Conversation | None,
        conversation_id: str | None,
        new_id: Ids,
        make: Make,
        *,
        shown: tuple[tuple[str, ...], ...] = (),
        borrowed: tuple[str, ...] = (),
    ) -> None:
        self.id = response_id
        self.settings = settings
        self.shown = shown
        self.borrowed = borrowed
        self._state = ResponseState(spoken=settings.modality == "audio", parallel=settings.parallel)
        self._conversation = conversation
        self._conversation_id = conversation_id
        self._make = make
        self._new_id = new_id
        self._encoder = SoundEncoder(settings.format["type"], settings.speed)
        self._previous: str | None = None
        self._message: MessageItem | None = None
        self._text = ""
        self._output: list[MessageItem | CallItem] = []

    @property
    def active(self) -> bool:
        """It has not ended yet."""
        return self._state.status == "in_progress"

    @property
    def in_band(self) -> bool:
        """It writes to the conversation."""
        return self._conversation is not None

    @property
    def status(self) -> str:
        return self._state.status

    @property
    def usage(self) -> Usage:
        """What it has cost so far."""
        return self._state.usage

    @property
    def message_id(self) -> str | None:
        """The item that is spoken, once there is one."""
        return self._message.id if self._message else None

    def begin(self) -> list[Effect]:
        """`response.created`."""
        return [self._make("response.created", response=self._describe(None, None))]

    def advance(self, happening: Happening) -> list[Effect]:
        """Something happened; what the client is to see of it."""
        self._state, steps = next_state(self._state, happening)
        return [effect for step in steps for effect in self._show(step)]

    def _show(self, step: Step) -> list[Effect]:
        match step:
            case OpenMessage():
                return self._open()
            case ShowText(text, tokens):
                self._text += text
                part = self._part()
                part.add_text(text, tokens)
                kind = "output_audio_transcript" if part.spoken else "output_text"
                return [self._make(f"response.{kind}.delta", **self._where(), delta=text)]
            case ShowSound(pcm):
                self._part().add_sound(pcm)
                return self._play(self._encoder.add(pcm))
            case CloseMessage():
                return self._close(step)
            case ShowCall(call):
                return self._call(call)
            case Finish(end):
                details: dict[str, Any] | None = None
                if end.status != "completed":
                    details = (
                        {"type": end.status}
                        | ({"reason": end.reason} if end.reason else {})
                        | ({"error": end.error} if end.error else {})
                    )
                body = self._describe(details, usage_object(self._state.usage))
                return [self._make("response.done", response=body)]

    def _play(self, sound: bytes) -> list[Effect]:
        if not sound:
            return []
        return [SendAudio(event_id=self._new_id("event"), **self._where(), sound=sound)]

    def _open(self) -> list[Effect]:
        """The message and its one part."""
        spoken = self._state.spoken
        settings = self.settings
        content = Content(
            "output_audio" if spoken else "output_text",
            "",
            bytearray(),
            whole=False,
            format=settings.format["type"],
            speed=settings.speed,
        )
        self._message = MessageItem(self._new_id("item"), "assistant", [], status="in_progress")
        effects = self._added(self._message)
        self._message.content.append(content)
        part = {"type": "audio", "transcript": ""} if spoken else {"type": "text", "text": ""}
        return [*effects, self._make("response.content_part.added", **self._where(), part=part)]

    def _close(self, step: CloseMessage) -> list[Effect]:
        assert self._message is not None
        part = self._part()
        part.whole = step.whole
        self._message.status = "completed" if step.whole else "incomplete"
        effects: list[Effect] = []
        if part.spoken:
            if step.heard_out:
                effects += self._play(self._encoder.flush())
            done = {"type": "audio", "transcript": self._text}
            effects += [
                self._make("response.output_audio.done", **self._where()),
                self._make("response.output_audio_transcript.done", **self._where(), transcript=self._text),
            ]
        else:
            done = {"type": "text", "text": self._text}
            effects.append(self._make("response.output_text.done", **self._where(), text=self._text))
        effects.append(self._make("response.content_part.done", **self._where(), part=done))
        return [*effects, *self._done(self._message)]

    def _call(self, call: ToolCall) -> list[Effect]:
        item = CallItem(self._new_id("item"), self._new_id("call"), call.name, "", "in_progress")
        effects = self._added(item)
        item.arguments, item.status = call.arguments, "completed"
        where = {
            "response_id": self.id,
            "item_id": item.id,
            "output_index": len(self._output) - 1,
            "call_id": item.call_id,
        }
        kind = "response.function_call_arguments"
        return [
            *effects,
            self._make(f"{kind}.delta", **where, delta=call.arguments),
            self._make(f"{kind}.done", **where, name=call.name, arguments=call.arguments),
            *self._done(item),
        ]

    def _added(self, item: MessageItem | CallItem) -> list[Effect]:
        """An output item begins."""
        index = len(self._output)
        self._output.append(item)
        shown = item.describe()
        effects: list[Effect] = [
            self._make("response.output_item.added", response_id=self.id, output_index=index, item=shown)
        ]
        if self._conversation is not None:
            self._previous = self._conversation.add(item)
            effects.append(self._make("conversation.item.added", previous_item_id=self._previous, item=shown))
        return effects

    def _done(self, item: MessageItem | CallItem) -> list[Effect]:
        """The last output item is whole."""
        index = len(self._output) - 1
        shown = self._shown(item)
        effects: list[Effect] = []
        if self._conversation is not None:
            effects.append(self._make("conversation.item.done", previous_item_id=self._previous, item=shown))
        effects.append(
            self._make("response.output_item.done", response_id=self.id, output_index=index, item=shown)
        )
        return effects

    def _shown(self, item: MessageItem | CallItem) -> dict[str, Any]:
        """The item as this response made it: all of it, also where the client has truncated its item."""
        if isinstance(item, CallItem):
            return item.describe()
        made = Content(self._part().kind, text=self._text)
        return MessageItem(item.id, "assistant", [made], item.status).describe()

    def _part(self) -> Content:
        assert self._message is not None
        return self._message.content[0]

    def _where(self) -> dict[str, Any]:
        """The place of the message's one part."""
        return {"response_id": self.id, "item_id": self.message_id, "output_index": 0, "content_index": 0}

    def _describe(self, details: dict[str, Any] | None, usage: dict[str, Any] | None) -> dict[str, Any]:
        settings = self.settings
        return {
            "object": "realtime.response",
            "id": self.id,
            "status": self._state.status,
            "status_details": details,
            "output": [self._shown(item) for item in self._output],
            "conversation_id": self._conversation_id,
            "output_modalities": [settings.modality],
            "max_output_tokens": settings.max_output_tokens,
            "audio": {"output": {"format": settings.format, "voice": settings.voice}},
            "usage": usage,
            "metadata": settings.metadata,
        }
