"""The session object of a `realtime` session: its fields, their ranges and their defaults."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from realtime.protocol.validation import Bool, Int, Number, Str, Wire, check, refuse

STOCK_VOICES = (
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse",
)  # fmt: skip
"""OpenAI's own voices: a stock client names one without being asked, so each means the default voice."""


class Format(Wire):
    """Sound on the wire: PCM16 little-endian mono at 24 kHz."""

    type: Literal["audio/pcm"]
    rate: Literal[24000] = 24000


class ServerVad(Wire):
    """Turns found by voice activity. Milliseconds; `threshold` is a probability.

    500 ms of silence is the documented default (the live service shows 200, which cuts people off)."""

    type: Literal["server_vad"]
    threshold: Annotated[Number, Field(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[Int, Field(ge=0, le=10_000)] = 300
    silence_duration_ms: Annotated[Int, Field(ge=0, le=60_000)] = 500
    idle_timeout_ms: None = None
    create_response: Bool = True
    interrupt_response: Bool = True

    @field_validator("idle_timeout_ms", mode="before")
    @classmethod
    def _no_idle_timeout(cls, value: Any) -> None:
        only_null(value, "idle_timeout_ms is not available on this server yet; leave it out or null")


class Input(Wire):
    """What is done with the user's sound."""

    format: Format = Format(type="audio/pcm")
    transcription: None = None
    noise_reduction: None = None
    turn_detection: ServerVad | None = ServerVad(type="server_vad")

    @field_validator("format", mode="before")
    @classmethod
    def _pcm(cls, value: Any) -> Any:
        return _no_g711(value)

    @field_validator("transcription", mode="before")
    @classmethod
    def _no_transcription(cls, value: Any) -> None:
        only_null(value, "input transcription is not available on this server yet; set it to null")

    @field_validator("noise_reduction", mode="before")
    @classmethod
    def _no_noise_reduction(cls, value: Any) -> None:
        only_null(value, "noise reduction is not available on this server; set it to null")

    @field_validator("turn_detection", mode="before")
    @classmethod
    def _no_semantic_vad(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("type") == "semantic_vad":
            raise refuse(
                "unsupported_value",
                "semantic_vad is not available on this server yet; use server_vad or null",
            )
        return value


class Output(Wire):
    """How the answer sounds."""

    format: Format = Format(type="audio/pcm")
    voice: Str = ""
    speed: Number = 1.0

    @field_validator("format", mode="before")
    @classmethod
    def _pcm(cls, value: Any) -> Any:
        return _no_g711(value)

    @field_validator("voice", mode="before")
    @classmethod
    def _voice_object(cls, value: Any) -> Any:
        return value["id"] if isinstance(value, dict) and "id" in value else value

    @field_validator("speed")
    @classmethod
    def _one_speed(cls, value: float) -> float:
        if value != 1.0:
            raise refuse("unsupported_value", "speed other than 1.0 is not available on this server yet")
        return value


class Audio(Wire):
    """Sound, both ways."""

    input: Input = Input()
    output: Output = Output()


Modalities = Annotated[list[Literal["audio", "text"]], Field(min_length=1, max_length=1)]
"""One of the two; sound always comes with its transcript."""
MaxTokens = int | Literal["inf"]


def max_tokens(value: Any) -> Any:
    """1 to 4096, or "inf"."""
    if value == "inf":
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise refuse("invalid_type", "Expected an integer from 1 to 4096, or 'inf'.")
    if value < 1:
        raise refuse(
            "integer_below_min_value", f"Expected an integer of at least 1, or 'inf', but got {value}."
        )
    if value > 4096:
        raise refuse(
            "integer_above_max_value", f"Expected an integer of at most 4096, or 'inf', but got {value}."
        )
    return value


def no_tools(value: Any) -> list[Any]:
    """Tools are a list; a list with something in it is refused by name."""
    if not isinstance(value, list):
        raise refuse("invalid_type", "Expected an array of tools.")
    if value:
        raise refuse("unsupported_value", "tools are not available on this server yet; send an empty array")
    return value


def no_tool_choice(value: Any) -> Any:
    """Only the choices that mean something without tools."""
    if value not in ("auto", "none"):
        raise refuse("unsupported_value", "tool_choice must be 'auto' or 'none': tools are not available yet")
    return value


def only_null(value: Any, message: str) -> None:
    """Refuses by name what is not here yet."""
    if value is not None:
        raise refuse("unsupported_value", message)


def _no_g711(value: Any) -> Any:
    if isinstance(value, dict) and value.get("type") in ("audio/pcmu", "audio/pcma"):
        raise refuse(
            "unsupported_value", "G.711 is not available on this server yet; use audio/pcm at 24000 Hz"
        )
    return value


def _sound() -> list[Literal["audio", "text"]]:
    return ["audio"]


class SessionObject(Wire):
    """Everything a client may set, with what holds where it has set nothing."""

    type: Literal["realtime"]
    output_modalities: Modalities = Field(default_factory=_sound)
    instructions: Str = ""
    tools: list[Any] = Field(default_factory=list)
    tool_choice: Str = "auto"
    max_output_tokens: MaxTokens = "inf"
    tracing: Any = None
    truncation: Literal["auto", "disabled"] = "auto"
    prompt: None = None
    audio: Audio = Audio()
    include: None = None

    @field_validator("tools", mode="before")
    @classmethod
    def _no_tools(cls, value: Any) -> Any:
        return no_tools(value)

    @field_validator("tool_choice", mode="before")
    @classmethod
    def _no_tool_choice(cls, value: Any) -> Any:
        return no_tool_choice(value)

    @field_validator("max_output_tokens", mode="before")
    @classmethod
    def _max_tokens(cls, value: Any) -> Any:
        return max_tokens(value)

    @field_validator("truncation", mode="before")
    @classmethod
    def _no_retention(cls, value: Any) -> Any:
        if isinstance(value, dict):
            raise refuse(
                "unsupported_value", "retention ratios are not available on this server yet; use 'auto'"
            )
        return value

    @field_validator("prompt", mode="before")
    @classmethod
    def _no_prompt(cls, value: Any) -> None:
        only_null(value, "stored prompts are not available on this server; use instructions")

    @field_validator("include", mode="before")
    @classmethod
    def _no_include(cls, value: Any) -> None:
        only_null(value or None, "there is nothing to include yet; leave it out or null")


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
    merged = copy.copy(base)
    for key, value in patch.items():
        old = base.get(key)
        if value is None and key not in _NULL_IS_A_VALUE:
            continue
        if isinstance(old, dict) and isinstance(value, dict) and _same_type(old, value):
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    return merged


def _same_type(old: dict[str, Any], new: dict[str, Any]) -> bool:
    return new.get("type", old.get("type")) == old.get("type")


def voice_error(voice: str, installed: Collection[str]) -> str | None:
    """Why a voice cannot be used; None where it can."""
    if not voice or voice in installed or voice in STOCK_VOICES:
        return None
    return f"There is no voice {voice!r} here. Installed voices are: {', '.join(installed) or 'none'}."
