"""The `response` of a `response.create`."""

from __future__ import annotations

from typing import Any

from pydantic import field_validator

from realtime.protocol.session_object import (
    Audio,
    MaxTokens,
    Modalities,
    max_tokens,
    no_tool_choice,
    no_tools,
    only_null,
)
from realtime.protocol.validation import Str, Wire, refuse


class ResponseObject(Wire):
    """The `response` of a `response.create`: each field overrides the session's for one answer."""

    conversation: Str | None = None
    input: None = None
    instructions: Str | None = None
    output_modalities: Modalities | None = None
    max_output_tokens: MaxTokens | None = None
    metadata: dict[Str, Str] | None = None
    tools: list[Any] | None = None
    tool_choice: Str | None = None
    prompt: None = None
    audio: Audio = Audio()

    @field_validator("audio", mode="before")
    @classmethod
    def _no_null(cls, value: Any) -> Any:
        return Audio() if value is None else value

    @field_validator("conversation", mode="before")
    @classmethod
    def _default_conversation(cls, value: Any) -> Any:
        if value == "none":
            raise refuse("unsupported_value", "out-of-band responses are not available on this server yet")
        return value

    @field_validator("input", mode="before")
    @classmethod
    def _no_input(cls, value: Any) -> None:
        only_null(value, "a response's own input is not available on this server yet; create items instead")

    @field_validator("max_output_tokens", mode="before")
    @classmethod
    def _max_tokens(cls, value: Any) -> Any:
        return None if value is None else max_tokens(value)

    @field_validator("tools", mode="before")
    @classmethod
    def _no_tools(cls, value: Any) -> Any:
        return None if value is None else no_tools(value)

    @field_validator("tool_choice", mode="before")
    @classmethod
    def _no_tool_choice(cls, value: Any) -> Any:
        return None if value is None else no_tool_choice(value)

    @field_validator("prompt", mode="before")
    @classmethod
    def _no_prompt(cls, value: Any) -> None:
        only_null(value, "stored prompts are not available on this server; use instructions")

    @field_validator("metadata")
    @classmethod
    def _small(cls, value: dict[str, str] | None) -> dict[str, str] | None:
        for key, text in (value or {}).items():
            if len(key) > 64 or len(text) > 512:
                raise refuse(
                    "invalid_value", "A metadata key holds at most 64 characters, a value at most 512."
                )
        if len(value or {}) > 16:
            raise refuse("invalid_value", "Metadata holds at most 16 pairs.")
        return value
