"""`POST /v1/chat/completions`: a spoken or written answer over HTTP, whole or as it is made."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import orjson
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response, StreamingResponse

from engine import AudioDelta, Event, Finished, TextDelta, ToolCall, Usage
from realtime.protocol.ids import random_id
from realtime.server.gateway import Gateway
from realtime.server.rest.answering import (
    Answer,
    answer_events,
    begin,
    check_meter,
    collect,
    failure,
    unless_gone,
)
from realtime.server.rest.body import read_json
from realtime.server.rest.chat_request import Chat, read_chat
from realtime.server.rest.sound_files import decode, encode, fetch

_REASONS = {"completed": "stop", "length": "length"}


class ChatRoutes:
    """Answers chats."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def create(self, http: HttpRequest) -> Response:
        """`POST /v1/chat/completions`."""
        gateway, meter = self._gateway, http.state.caller.meter
        settings = gateway.settings
        data = await read_json(http, settings.max_body_bytes)
        gateway.check_ready()
        check_meter(meter)

        def sound(given: Any, param: str, declared: str | None) -> bytes:
            file = fetch(given, param, settings.audio_folder, settings.max_body_bytes)
            return decode(file, param, settings.max_upload_s, declared)

        # Decoding minutes of sound would hold up every session.
        chat = await asyncio.to_thread(read_chat, data, sound)
        events = answer_events(gateway.engine, chat.request, meter, gateway.metrics.ended("chat"))
        if not chat.stream:
            answer = await unless_gone(http, collect(events))
            return JSONResponse(await asyncio.to_thread(_whole, chat, answer, gateway.model))
        first = await begin(events)
        return StreamingResponse(
            _server_sent(chat, first, gateway.model), media_type="text/event-stream", headers=_UNBUFFERED
        )


_UNBUFFERED = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def _whole(chat: Chat, answer: Answer, model: str) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None}
    body = _head(chat, "chat.completion", model)
    if chat.request.speak and answer.pcm:
        sound = base64.b64encode(encode(bytes(answer.pcm), chat.container)).decode()
        if chat.flat:
            body["audio"] = sound
        else:
            message |= {
                "content": None,
                "audio": {
                    "id": random_id("audio"),
                    "data": sound,
                    "transcript": answer.text,
                    # Nothing is kept: an id cannot stand for the answer later.
                    "expires_at": body["created"],
                },
            }
    if answer.calls:
        message["content"] = answer.text or None
        message["tool_calls"] = [_call(call) for call in answer.calls]
    reason = "tool_calls" if answer.calls else _REASONS[answer.reason]
    choice = {"index": 0, "message": message, "finish_reason": reason, "logprobs": None}
    return body | {"choices": [choice], "usage": usage_object(answer.usage)}


async def _server_sent(chat: Chat, events: AsyncIterator[Event], model: str) -> AsyncIterator[bytes]:
    head = _head(chat, "chat.completion.chunk", model)
    audio_id = random_id("audio")
    calls = 0

    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return _event({**head, "choices": [choice]})

    spoken = chat.request.speak and not chat.flat
    yield chunk({"role": "assistant"} if spoken else {"role": "assistant", "content": ""})
    async with contextlib.aclosing(events) as closing:  # type: ignore[type-var]
        async for event in closing:
            if isinstance(event, TextDelta):
                text = {"audio": {"id": audio_id, "transcript": event.text}}
                yield chunk(text if spoken else {"content": event.text})
            elif isinstance(event, AudioDelta):
                yield chunk({"audio": {"id": audio_id, "data": base64.b64encode(event.pcm).decode()}})
            elif isinstance(event, ToolCall):
                yield chunk({"tool_calls": [{"index": calls, **_call(event)}]})
                calls += 1
            elif isinstance(event, Finished):
                if event.reason in ("failed", "cancelled"):
                    body = failure(event).body(None)
                    del body["event_id"]
                    yield _event({"error": body})
                    return
                yield chunk({}, "tool_calls" if calls else _REASONS[event.reason])
                if chat.include_usage:
                    yield _event({**head, "choices": [], "usage": usage_object(event.usage)})
    yield b"data: [DONE]\n\n"


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\n\n"


def _head(chat: Chat, kind: str, model: str) -> dict[str, Any]:
    return {"id": chat.request.id, "object": kind, "created": int(time.time()), "model": model}


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": random_id("call"), "type": "function", "function": function}


def usage_object(usage: Usage) -> dict[str, Any]:
    """Usage in the form of chat completions."""
    read = usage.input_text_tokens + usage.input_audio_tokens
    made = usage.output_text_tokens + usage.output_audio_tokens
    return {
        "prompt_tokens": read,
        "completion_tokens": made,
        "total_tokens": read + made,
        "prompt_tokens_details": {
            "text_tokens": usage.input_text_tokens,
            "audio_tokens": usage.input_audio_tokens,
            "cached_tokens": usage.cached_text_tokens + usage.cached_audio_tokens,
        },
        "completion_tokens_details": {
            "text_tokens": usage.output_text_tokens,
            "audio_tokens": usage.output_audio_tokens,
            "reasoning_tokens": 0,
        },
    }
