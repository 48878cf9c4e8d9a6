"""From what the client asked for to what the engine is asked."""

from __future__ import annotations

from engine import Message, Request, Text
from realtime.protocol.response_object import ResponseObject
from realtime.protocol.session_object import SessionObject
from realtime.session.conversation import Conversation
from realtime.session.response import ResponseSettings


def response_settings(asked: ResponseObject, session: SessionObject) -> ResponseSettings:
    """The session's settings with the request's own over them."""
    return ResponseSettings(
        modality=(asked.output_modalities or session.output_modalities)[0],
        voice=asked.voice or session.audio.output.voice,
        max_output_tokens=asked.max_output_tokens or session.max_output_tokens,
        metadata=asked.metadata,
        instructions=session.instructions if asked.instructions is None else asked.instructions,
    )


def answer_request(
    response_id: str, settings: ResponseSettings, conversation: Conversation, voice: str | None
) -> Request:
    """One answer to the whole conversation, in the engine's words; `voice` None is its own default."""
    messages = conversation.messages()
    if settings.instructions:
        messages = (Message("system", (Text(settings.instructions),)), *messages)
    limit = settings.max_output_tokens
    return Request(
        id=response_id,
        messages=messages,
        voice=voice,
        speak=settings.modality == "audio",
        max_tokens=None if limit == "inf" else limit,
    )
