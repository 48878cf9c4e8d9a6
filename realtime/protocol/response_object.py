"""The `response` of a `response.create`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from realtime.protocol.tools import ToolChoice, Tools
from realtime.protocol.validation import Bool, Str, Wire, refuse
from realtime.protocol.values import Format, MaxTokens, Modalities, NoPrompt, NoReasoning, VoiceName

MOST_INPUT = 1000
_MOST_PAIRS, _LONGEST_KEY, _LONGEST_VALUE = 16, 64, 512


def _small(value: dict[str, str] | None) -> dict[str, str] | None:
    for key, text in (value or {}).items():
        if len(key) > _LONGEST_KEY or len(text) > _LONGEST_VALUE:
            raise refuse(
                "invalid_value",
                f"a key holds at most {_LONGEST_KEY} characters, a value at most {_LONGEST_VALUE}",
            )
    if len(value or {}) > _MOST_PAIRS:
        raise refuse("invalid_value", f"metadata holds at most {_MOST_PAIRS} pairs")
    return value


class ResponseOutput(Wire):
    """How this one answer sounds."""

    format: Format | None = None
    voice: VoiceName | None = None


class ResponseAudio(Wire):
    """The sound of one answer."""

    output: ResponseOutput | None = None


class ResponseObject(Wire):
    """The `response` of a `response.create`: each field overrides the session's for one answer, null and
    what is left out mean the session's own. `input` is read by `realtime.protocol.items`."""

    conversation: Str | None = None
    input: Annotated[list[dict[str, Any]], Field(max_length=MOST_INPUT)] | None = None
    instructions: Str | None = None
    output_modalities: Modalities | None = None
    max_output_tokens: MaxTokens | None = None
    metadata: Annotated[dict[Str, Str] | None, AfterValidator(_small)] = None
    tools: Tools | None = None
    tool_choice: ToolChoice | None = None
    prompt: NoPrompt = None
    reasoning: NoReasoning = None
    parallel_tool_calls: Bool | None = None
    audio: ResponseAudio | None = None

    @property
    def format(self) -> Format | None:
        """The format asked for, None where the session's holds."""
        return self.audio.output.format if self.audio and self.audio.output else None

    @property
    def voice(self) -> str | None:
        """The voice asked for, None where the session's holds."""
        return self.audio.output.voice if self.audio and self.audio.output else None
