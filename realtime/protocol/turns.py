"""Turn detection as sessions spell it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from realtime.protocol.validation import Bool, Int, Number, Str, Wire


def _unset(value: int | None) -> bool:
    return value is None


class _Vad(Wire):
    """What both kinds have. `interrupt_after_ms` is this server's own: speech during an answer that is
    shorter is a back-channel ("uh-huh"), neither stops the answer nor becomes a turn. It is shown only
    where a client has set it: strict clients take no unknown key."""

    create_response: Bool = True
    interrupt_response: Bool = True
    interrupt_after_ms: Annotated[Int, Field(ge=0, le=10_000)] | None = Field(default=None, exclude_if=_unset)


class ServerVad(_Vad):
    """Turns found by voice activity. Milliseconds; `threshold` is a probability.

    500 ms of silence is the documented default (the live service shows 200, which cuts people off)."""

    type: Literal["server_vad"]
    threshold: Annotated[Number, Field(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[Int, Field(ge=0, le=10_000)] = 300
    silence_duration_ms: Annotated[Int, Field(ge=0, le=60_000)] = 500
    idle_timeout_ms: Annotated[Int, Field(ge=5_000, le=30_000)] | None = None


class SemanticVad(_Vad):
    """Turns that end where what was said is complete. How long a pause is borne where it is not:
    `eagerness` low 8 s, medium and auto 4 s, high 2 s."""

    type: Literal["semantic_vad"]
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"


TurnDetection = Annotated[ServerVad | SemanticVad, Field(discriminator="type")]


class Transcription(Wire):
    """How the user's sound is written down. `model` is whatever a stock client names; `language` is
    ISO-639-1, `prompt` a hint of what may be said."""

    model: Str = "chroma"
    language: Annotated[Str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z]{2,4})?$")] | None = None
    prompt: Annotated[Str, Field(max_length=4096)] | None = None
