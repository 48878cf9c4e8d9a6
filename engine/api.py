"""The wall between gateway and model: every request, event and promise that crosses it.

The gateway knows of a model only what stands here. Nothing in this module imports torch, and nothing
under `engine/` imports `realtime`. Sound is PCM16 little-endian mono at `SAMPLE_RATE` on both sides.
"""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.stats import EngineStats

SAMPLE_RATE = 24_000
"""Samples a second of all sound that crosses the wall, in both directions."""

FRAME_SAMPLES = 1_920
"""Samples of one frame of an answer: 80 ms, one audio token."""

FRAMES_PER_TEXT_TOKEN = 2
"""Text runs ahead of sound, but each token is spoken from its own frame on: token k (from 0) begins no
sooner than frame k times this. So what was heard of an answer bounds what can have been said in it."""

ENGINE_BROKEN = "engine_broken"
"""Code of the error of an engine that cannot go on, and has to be started again."""


class EngineError(Exception):
    """A problem that a person can mend: one line that says what is wrong and what would be right.

    `code` is a stable name in snake_case; `message` is the line shown to the user.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type[EngineError], tuple[str, str]]:
        return type(self), (self.code, self.message)


@dataclass(frozen=True, slots=True)
class Text:
    """Words in a message."""

    text: str


@dataclass(frozen=True, slots=True)
class Audio:
    """Sound in a message. `id` names these very bytes for the life of the gateway, so that an engine
    may keep what it computed from them; an engine that has lost them finds them here again.

    Not `whole`: a sound that is still being spoken, up to where `Engine.listen` was told of it. It may yet
    become longer under this id."""

    id: str
    pcm: bytes = field(repr=False)
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool, in an assistant's message. `arguments` is a JSON object as the model wrote it."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CallOutput:
    """What a tool answered, in a message of role `tool`. The calls before it are answered in order."""

    output: str


Part = Text | Audio | Call | CallOutput


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of the conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call. `parameters` is a JSON Schema object."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """`auto`: the model decides. `none`: it is told of the tools and calls none. `required`: the answer is
    at least one call; of `name`, where one is given."""

    mode: Literal["auto", "none", "required"] = "auto"
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """A voice for one answer alone: a sample, PCM16 mono at `SAMPLE_RATE`, and the words said in it.
    `id` names these very bytes and words, as `Audio.id` does."""

    id: str
    transcript: str
    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Transcribe:
    """The answer wanted is what is said in the last message's sound. `language` is ISO-639-1, `prompt` a hint
    of what may be said. An engine that only transcribes needs nothing else; to any other the messages say
    the same in words."""

    language: str | None = None
    prompt: str | None = None


@dataclass(frozen=True, slots=True)
class Truncation:
    """What to leave out where a conversation is longer than the model's context: the oldest messages,
    system messages excepted, until at most `retention` (0 to 1) of the room is taken. `limit` is the most
    tokens that may follow the system messages; None: as many as the context holds."""

    retention: float = 1.0
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One answer to be made. Carries the whole conversation: the gateway holds the truth."""

    id: str
    messages: tuple[Message, ...]
    voice: str | Reference | None = None
    """A name from `Engine.voices()`, or a voice for this answer alone; None is the engine's default."""
    speak: bool = True
    """False: text alone, no sound is made."""
    max_tokens: int | None = None
    """Most tokens of this answer, text tokens and audio frames counted together; None: as many as fit."""
    temperature: float | None = None
    """Sampling temperature of the sound; 0 is greedy; None is the engine's setting. Text is greedy."""
    top_p: float | None = None
    """The sound is sampled from the likeliest codes that together have this probability; None: from all
    that the engine's top-k leaves."""
    seed: int | None = None
    """Seed of the sound's sampling; None is drawn anew for each request."""
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    say: str | None = None
    """The answer's words, where they are not the model's to choose: it only speaks them."""
    transcribe: Transcribe | None = None
    truncation: Truncation | None = None
    """None: a conversation that is too long fails as `context_length_exceeded`."""
    conversation: str | None = None
    """Names the conversation that this is an answer in: where there are several engines behind one, what was
    read of it lies with the one that answered last."""
    only_if_room: bool = False
    """This answer may never be wanted: it is made only where at most half of what the engine can do at once
    is taken with it, and otherwise fails as `no_room`."""

    def sounds(self) -> Iterator[Audio]:
        """All that is to be heard in its messages, in order."""
        return (part for message in self.messages for part in message.parts if isinstance(part, Audio))


@dataclass(frozen=True, slots=True)
class Usage:
    """What an answer really cost, in the model's own tokens (a frame of sound is one audio token)."""

    input_text_tokens: int = 0
    input_audio_tokens: int = 0
    cached_text_tokens: int = 0
    cached_audio_tokens: int = 0
    output_text_tokens: int = 0
    output_audio_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Started:
    """The prompt is read; `usage` is what it cost, its output counts still 0. Comes first, at most once.
    `left_out`: so many of the oldest messages, system messages not counted, were more than the context
    holds."""

    usage: Usage
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More words of the answer, made of so many `tokens`. Text runs ahead of sound."""

    text: str
    tokens: int = 1


@dataclass(frozen=True, slots=True)
class AudioDelta:
    """More sound of the answer, PCM16 little-endian mono at `SAMPLE_RATE`."""

    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A whole call of one of the request's tools, made of so many `tokens`. `arguments` is a JSON object,
    its text not escaped. Nothing of a call is ever in a TextDelta or spoken; no text comes after a call."""

    name: str
    arguments: str
    tokens: int = 1


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of every answer, exactly once.

    `completed`: the model came to its end. `length`: a token or frame limit cut it. `cancelled`: by
    `Engine.cancel`. `failed`: `code` and `message` say why; `malformed_tool_call` is a call that is no
    JSON or names no tool of the request.
    """

    reason: Literal["completed", "length", "cancelled", "failed"]
    usage: Usage = Usage()
    code: str | None = None
    message: str | None = None


Event = Started | TextDelta | AudioDelta | ToolCall | Finished


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that requests may name. `seconds` is the length of its reference sample."""

    name: str
    transcript: str
    seconds: float
    builtin: bool = False


class Engine(abc.ABC):
    """A speech model behind the wall. All methods belong to one asyncio event loop."""

    model: str
    """The id under which the model is listed, set before `open` returns."""

    @abc.abstractmethod
    async def open(self) -> None:
        """Load and warm up. Raises EngineError with one clear line when that cannot be done."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Stop. Running answers end as failed with code `engine_closed`."""

    @abc.abstractmethod
    def respond(self, request: Request) -> AsyncIterator[Event]:
        """Start an answer and stream its events; the last is always `Finished`.

        Never raises for a bad request or a broken engine: that is `Finished(reason="failed")`.
        Closing the iterator early cancels the answer. Request ids must be unique among running answers.
        """

    @abc.abstractmethod
    async def cancel(self, request_id: str) -> None:
        """End an answer within one frame; its stream then yields `Finished(reason="cancelled")`.
        An unknown or finished id is no error: the answer may have ended while the call was on its way."""

    async def turn_over(self, audio: Audio) -> float:
        """Probability, 0 to 1, that whoever speaks in this sound has said all there is to say.

        Raises EngineError (`no_turn_model` where the engine cannot judge at all)."""
        raise EngineError("no_turn_model", f"{self.model} cannot tell whether a turn is over")

    async def listen(self, audio: Audio, before: Request | None = None) -> None:
        """More of a sound that is still being spoken: `audio.pcm` is what came since the last call of its id.

        The whole may follow in a request, under this id; where it does not, `forget` is called. With the
        first of it comes `before`: the request without this sound, which ends it. An engine may hear
        and read ahead, or do nothing.
        """
        return None

    @abc.abstractmethod
    async def forget(self, audio_ids: Sequence[str]) -> None:
        """These ids of sounds and references will not be asked for again; what was kept for them can go."""

    @abc.abstractmethod
    async def voices(self) -> list[Voice]:
        """The voices that requests may name, the default one first."""

    async def stats(self) -> EngineStats:
        """What it is busy with just now. Raises EngineError where it cannot say; `ENGINE_BROKEN` where it
        will never answer again."""
        return EngineStats()
