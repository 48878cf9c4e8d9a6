"""From what the client asked for to what the engine is asked."""

from __future__ import annotations

from collections.abc import Iterable

from engine import Message, Request, Text, Tool, ToolChoice, Truncation
from realtime.protocol.response_object import ResponseObject
from realtime.protocol.session_object import RetentionRatio, SessionObject
from realtime.protocol.tools import NamedFunction
from realtime.session.response import ResponseSettings

_RETAINED = 0.8
"""Of a conversation that has grown too long, `auto` keeps this share of the room: leaving out just enough
would leave out a little more with each turn, and never find the beginning in a cache."""


def response_settings(
    asked: ResponseObject, session: SessionObject, *, plays: bool = False
) -> ResponseSettings:
    """The session's settings with the request's own over them. `plays`: the server plays the sound, so
    it stays as it is made."""
    output = session.audio.output
    sound = {"type": "audio/pcm", "rate": 24000} if plays else (asked.format or output.format).model_dump()
    tools = session.tools if asked.tools is None else asked.tools
    parallel = session.parallel_tool_calls if asked.parallel_tool_calls is None else asked.parallel_tool_calls
    return ResponseSettings(
        modality=(asked.output_modalities or session.output_modalities)[0],
        voice=asked.voice or output.voice,
        format=sound,
        speed=output.speed,
        max_output_tokens=asked.max_output_tokens or session.max_output_tokens,
        metadata=asked.metadata,
        instructions=session.instructions if asked.instructions is None else asked.instructions,
        tools=tuple(Tool(tool.name, tool.description or "", tool.parameters) for tool in tools),
        tool_choice=_choice(asked.tool_choice or session.tool_choice),
        parallel=parallel is not False,
    )


def answer_request(
    response_id: str,
    settings: ResponseSettings,
    messages: Iterable[Message],
    voice: str | None,
    truncation: Truncation | None,
) -> Request:
    """One answer to these messages, in the engine's words; `voice` None is its own default."""
    shown = tuple(messages)
    if settings.instructions:
        shown = (Message("system", (Text(settings.instructions),)), *shown)
    limit = settings.max_output_tokens
    return Request(
        id=response_id,
        messages=shown,
        voice=voice,
        speak=settings.modality == "audio",
        max_tokens=None if limit == "inf" else limit,
        tools=settings.tools,
        tool_choice=settings.tool_choice,
        truncation=truncation,
    )


def truncation(session: SessionObject) -> Truncation | None:
    """What to do with a conversation that is too long; None: the response fails."""
    if isinstance(session.truncation, RetentionRatio):
        limits = session.truncation.token_limits
        return Truncation(session.truncation.retention_ratio, limits.post_instructions if limits else None)
    return Truncation(_RETAINED) if session.truncation == "auto" else None


def _choice(choice: str | NamedFunction) -> ToolChoice:
    if isinstance(choice, NamedFunction):
        return ToolChoice("required", choice.name)
    return ToolChoice(choice)  # type: ignore[arg-type]
