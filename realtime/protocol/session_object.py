"""The session object, of a conversation or of a transcription: fields, ranges and defaults."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Discriminator, Field, Tag

from realtime.protocol.errors import ProtocolError
from realtime.protocol.tools import ToolChoice, Tools
from realtime.protocol.turns import ServerVad, Transcription, TurnDetection
from realtime.protocol.validation import Int, Number, Str, Wire, check, refuse, show
from realtime.protocol.values import (
    Format,
    MaxTokens,
    Modalities,
    NoPrompt,
    NoReasoning,
    ParallelCalls,
    PcmFormat,
    Tracing,
    VoiceName,
    not_yet,
)


def _nothing_to_include(value: Any) -> None:
    if value is not None and value != []:
        raise refuse("unsupported_value", "this server gives no log probabilities; leave it out or null")


def _known_hints(value: Any) -> Any:
    for key in ("languages", "keywords", "delay"):
        if isinstance(value, dict) and value.get(key) is not None:
            raise refuse("unsupported_value", f"'{key}' is not taken; use 'language' and 'prompt'", f".{key}")
    return value


class Input(Wire):
    """What is done with the user's sound."""

    format: Format = PcmFormat(type="audio/pcm")
    transcription: Annotated[Transcription | None, BeforeValidator(_known_hints)] = None
    noise_reduction: Annotated[
        None, not_yet("noise reduction is not available on this server; set it to null")
    ] = None
    turn_detection: TurnDetection | None = ServerVad(type="server_vad")


class Output(Wire):
    """How the answer sounds. `speed` is the rate at which it is played after it was made."""

    format: Format = PcmFormat(type="audio/pcm")
    voice: VoiceName = ""
    speed: Annotated[Number, Field(ge=0.25, le=1.5)] = 1.0


class Audio(Wire):
    """Sound, both ways."""

    input: Input = Input()
    output: Output = Output()


class InputOnly(Wire):
    """Sound, one way."""

    input: Input = Input()


class TokenLimits(Wire):
    """`post_instructions`: the most tokens of the conversation that the model is shown."""

    post_instructions: Annotated[Int, Field(ge=1)] | None = None


class RetentionRatio(Wire):
    """Where the conversation is too long for the model, so much of the room is kept: the rest leaves at
    once, so that the turns after find an unchanged beginning in the cache."""

    type: Literal["retention_ratio"]
    retention_ratio: Annotated[Number, Field(ge=0, le=1)]
    token_limits: TokenLimits | None = Field(default=None, exclude_if=lambda value: value is None)


def _form(value: Any) -> str:
    return "<object>" if isinstance(value, dict | RetentionRatio) else "<word>"


Truncation = Annotated[
    Annotated[Literal["auto", "disabled"], Tag("<word>")] | Annotated[RetentionRatio, Tag("<object>")],
    Discriminator(_form),
]


def _sound() -> list[Literal["audio", "text"]]:
    return ["audio"]


class SessionObject(Wire):
    """Everything a client may set, with what holds where it has set nothing."""

    type: Literal["realtime"]
    output_modalities: Modalities = Field(default_factory=_sound)
    instructions: Str = ""
    tools: Tools = Field(default_factory=list)
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: ParallelCalls = None
    max_output_tokens: MaxTokens = "inf"
    tracing: Tracing = None
    truncation: Truncation = "auto"
    prompt: NoPrompt = None
    reasoning: NoReasoning = None
    audio: Audio = Audio()
    include: Annotated[None, BeforeValidator(_nothing_to_include)] = None


class TranscriptionObject(Wire):
    """A session that only writes down what it hears."""

    type: Literal["transcription"]
    audio: InputOnly = InputOnly()
    include: Annotated[None, BeforeValidator(_nothing_to_include)] = None


AnySession = SessionObject | TranscriptionObject
Kind = TypeVar("Kind", SessionObject, TranscriptionObject)

_NULL_IS_A_VALUE = {
    "turn_detection",
    "transcription",
    "noise_reduction",
    "tracing",
    "prompt",
    "include",
    "idle_timeout_ms",
    "language",
    "interrupt_after_ms",
}


def update(session: Kind, patch: dict[str, Any]) -> Kind:
    """The session after a `session.update`: only the fields that are there change.

    `audio` merges key by key; a turn detection of another type starts from its own defaults. Null clears
    where null is a value, and changes nothing elsewhere.

    Raises:
        ProtocolError: and nothing has changed.
    """
    kind = patch.get("type")
    if kind in ("realtime", "transcription") and kind != session.type:
        raise ProtocolError(
            "invalid_value",
            f"Invalid value: {show(kind)}. This session is of type '{session.type}', for all its life"
            " (connect with ?intent=transcription for one that only transcribes).",
            "session.type",
        )
    merged = _merge(session.model_dump(), patch)
    if "type" not in patch:
        del merged["type"]
    return check(type(session), merged, "session")


def _merge(base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Descends only where the session itself has an object: a patch may be nested as deep as it likes."""
    merged = dict(base)
    for key, value in patch.items():
        old = base.get(key)
        if value is None and key not in _NULL_IS_A_VALUE:
            continue
        if not isinstance(value, dict) or key in ("tracing", "tool_choice", "truncation"):
            merged[key] = value
        elif isinstance(old, dict) and ("type" not in old or value.get("type", old["type"]) == old["type"]):
            merged[key] = _merge(old, value)
        else:
            # An object of another type begins anew, and its nulls too mean what holds by default.
            merged[key] = {name: item for name, item in value.items() if item is not None}
    return merged
