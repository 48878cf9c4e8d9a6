"""The session object of a `realtime` session: its fields, their ranges and their defaults."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from realtime.protocol.validation import Bool, Int, Number, Str, Wire, check, refuse
from realtime.protocol.values import (
    Format,
    MaxTokens,
    Modalities,
    NoParallelCalls,
    NoPrompt,
    NoReasoning,
    PcmFormat,
    ToolChoice,
    Tools,
    Tracing,
    VoiceName,
    not_yet,
)


def _no_semantic_vad(value: Any) -> Any:
    if isinstance(value, dict) and value.get("type") == "semantic_vad":
        raise refuse(
            "unsupported_value", "semantic_vad is not available on this server yet; use server_vad or null"
        )
    return value


def _one_speed(value: Any) -> Any:
    if isinstance(value, int | float) and value != 1:
        raise refuse("unsupported_value", "speed other than 1.0 is not available on this server yet")
    return value


def _no_transcription(value: Any) -> Any:
    if value == "transcription":
        raise refuse(
            "unsupported_value", "transcription sessions are not available on this server yet; use 'realtime'"
        )
    return value


def _no_retention(value: Any) -> Any:
    if isinstance(value, dict):
        raise refuse(
            "unsupported_value",
            "retention ratios are not available on this server yet; use 'auto' or 'disabled'",
        )
    return value


def _nothing_to_include(value: Any) -> None:
    if value is not None and value != []:
        raise refuse("unsupported_value", "there is nothing to include yet; leave it out or null")


class ServerVad(Wire):
    """Turns found by voice activity. Milliseconds; `threshold` is a probability.

    500 ms of silence is the documented default (the live service shows 200, which cuts people off)."""

    type: Literal["server_vad"]
    threshold: Annotated[Number, Field(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[Int, Field(ge=0, le=10_000)] = 300
    silence_duration_ms: Annotated[Int, Field(ge=0, le=60_000)] = 500
    idle_timeout_ms: Annotated[
        None, not_yet("idle_timeout_ms is not available on this server yet; leave it out or null")
    ] = None
    create_response: Bool = True
    interrupt_response: Bool = True


class Input(Wire):
    """What is done with the user's sound."""

    format: Format = PcmFormat(type="audio/pcm")
    transcription: Annotated[
        None, not_yet("input transcription is not available on this server yet; set it to null")
    ] = None
    noise_reduction: Annotated[
        None, not_yet("noise reduction is not available on this server; set it to null")
    ] = None
    turn_detection: Annotated[ServerVad | None, BeforeValidator(_no_semantic_vad)] = ServerVad(
        type="server_vad"
    )


class Output(Wire):
    """How the answer sounds."""

    format: Format = PcmFormat(type="audio/pcm")
    voice: VoiceName = ""
    speed: Annotated[Number, BeforeValidator(_one_speed)] = 1.0


class Audio(Wire):
    """Sound, both ways."""

    input: Input = Input()
    output: Output = Output()


def _sound() -> list[Literal["audio", "text"]]:
    return ["audio"]


class SessionObject(Wire):
    """Everything a client may set, with what holds where it has set nothing."""

    type: Annotated[Literal["realtime"], BeforeValidator(_no_transcription)]
    output_modalities: Modalities = Field(default_factory=_sound)
    instructions: Str = ""
    tools: Tools = Field(default_factory=list)
    tool_choice: ToolChoice = "auto"
    max_output_tokens: MaxTokens = "inf"
    tracing: Tracing = None
    truncation: Annotated[Literal["auto", "disabled"], BeforeValidator(_no_retention)] = "auto"
    prompt: NoPrompt = None
    reasoning: NoReasoning = None
    parallel_tool_calls: NoParallelCalls = None
    audio: Audio = Audio()
    include: Annotated[None, BeforeValidator(_nothing_to_include)] = None


_NULL_IS_A_VALUE = {
    "turn_detection",
    "transcription",
    "noise_reduction",
    "tracing",
    "prompt",
    "include",
    "idle_timeout_ms",
}


def update(session: SessionObject, patch: dict[str, Any]) -> SessionObject:
    """The session after a `session.update`: only the fields that are there change.

    `audio` merges key by key; a turn detection of another type starts from its own defaults. Null clears
    where null is a value, and changes nothing elsewhere.

    Raises:
        ProtocolError: and nothing has changed.
    """
    merged = _merge(session.model_dump(), patch)
    if "type" not in patch:
        del merged["type"]
    return check(SessionObject, merged, "session")


def _merge(base: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Descends only where the session itself has an object: a patch may be nested as deep as it likes."""
    merged = dict(base)
    for key, value in patch.items():
        old = base.get(key)
        if value is None and key not in _NULL_IS_A_VALUE:
            continue
        if not isinstance(value, dict) or key == "tracing":
            merged[key] = value
        elif isinstance(old, dict) and ("type" not in old or value.get("type", old["type"]) == old["type"]):
            merged[key] = _merge(old, value)
        else:
            # An object of another type begins anew, and its nulls too mean what holds by default.
            merged[key] = {name: item for name, item in value.items() if item is not None}
    return merged
