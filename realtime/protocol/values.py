"""Values that the session and a single response have in common, and the refusal of what is not here yet."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from realtime.protocol.validation import Bool, Str, Wire, refuse, show

STOCK_VOICES = (
    "alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse",
)  # fmt: skip
"""OpenAI's own voices: a stock client names one without being asked, so each means the default voice."""


def not_yet(message: str) -> BeforeValidator:
    """Null is taken, all else refused by name."""

    def only_null(value: Any) -> None:
        if value is not None:
            raise refuse("unsupported_value", message)

    return BeforeValidator(only_null)


def _one_modality(value: list[str]) -> list[str]:
    # Sound always comes with its transcript, so asking for both means nothing.
    if len(value) != 1:
        raise refuse(
            "invalid_value", "expected ['audio'] (which brings its transcript) or ['text'], not both"
        )
    return value


def _max_tokens(value: Any) -> Any:
    if value is None or value == "inf":
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise refuse("invalid_type", "expected an integer from 1 to 4096, or 'inf'")
    if value < 1:
        raise refuse(
            "integer_below_min_value", f"expected an integer of at least 1 or 'inf', but got {value}"
        )
    if value > 4096:
        raise refuse(
            "integer_above_max_value", f"expected an integer of at most 4096 or 'inf', but got {value}"
        )
    return value


def _voice_name(value: Any) -> Any:
    return value["id"] if isinstance(value, dict) and "id" in value else value


def _traceable(value: Any) -> Any:
    # Nothing is traced here, but the setting is echoed: so it has to be what clients can read back.
    if value is None or value == "auto":
        return value
    if not isinstance(value, dict):
        raise refuse("invalid_value", "expected null, 'auto' or an object")
    for key in ("workflow_name", "group_id"):
        if not isinstance(value.get(key), str | None):
            raise refuse("invalid_type", f"expected an object whose {key} is a string")
    metadata = value.get("metadata") or {}
    if not isinstance(metadata, dict) or any(isinstance(item, dict | list) for item in metadata.values()):
        raise refuse("invalid_type", "expected an object whose metadata holds no further objects or arrays")
    kept = ("workflow_name", "group_id", "metadata")
    return {key: value[key] for key in kept if value.get(key) is not None}


class PcmFormat(Wire):
    """Sound on the wire: PCM16 little-endian mono at 24 kHz."""

    type: Literal["audio/pcm"]
    rate: Literal[24000] = 24000


class MuLawFormat(Wire):
    """Sound on the wire: G.711 mu-law mono at 8 kHz."""

    type: Literal["audio/pcmu"]


class ALawFormat(Wire):
    """Sound on the wire: G.711 A-law mono at 8 kHz."""

    type: Literal["audio/pcma"]


Format = Annotated[PcmFormat | MuLawFormat | ALawFormat, Field(discriminator="type")]
VoiceName = Annotated[Str, BeforeValidator(_voice_name)]
"""A name, or an object that holds one as its id."""
Modalities = Annotated[list[Literal["audio", "text"]], AfterValidator(_one_modality)]
MaxTokens = Annotated[int | Literal["inf"], BeforeValidator(_max_tokens)]
Tracing = Annotated[Any, BeforeValidator(_traceable)]
# Not shown either: a session without reasoning has no such key, and strict clients take no null there.
NoReasoning = Annotated[
    None, not_yet("reasoning effort is not available on this server; leave it out"), Field(exclude=True)
]
# Shown where a client has set it, as the live service does.
ParallelCalls = Annotated[Bool | None, Field(exclude_if=lambda value: value is None)]
NoPrompt = Annotated[None, not_yet("stored prompts are not available on this server; use instructions")]


def voice_error(voice: str, installed: Collection[str]) -> str | None:
    """Why a voice cannot be used; None where it can."""
    if voice in installed or voice in STOCK_VOICES:
        return None
    return f"There is no voice {show(voice)} here. Installed voices are: {', '.join(installed) or 'none'}."
