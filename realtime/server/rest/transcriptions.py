"""`POST /v1/audio/transcriptions`: a recording written down by the model itself, or the one beside it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import orjson
from starlette.datastructures import UploadFile
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from engine import Audio, Event, Finished, TextDelta, Usage
from realtime.protocol.errors import ProtocolError, unsupported
from realtime.protocol.ids import random_id
from realtime.protocol.turns import Transcription
from realtime.protocol.validation import check, show
from realtime.server.gateway import Gateway
from realtime.server.rest.answering import (
    answer_events,
    begin,
    check_meter,
    collect,
    failure,
    unless_gone,
)
from realtime.server.rest.forms import read_form
from realtime.server.rest.sound_files import decode
from realtime.session.transcription_prompt import transcription_request

_FORMATS = ("json", "text")


class TranscriptionRoutes:
    """Writes recordings down."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def create(self, http: HttpRequest) -> Response:
        """`POST /v1/audio/transcriptions`."""
        gateway, meter = self._gateway, http.state.caller.meter
        form = await read_form(http, gateway.settings.max_body_bytes)
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise ProtocolError("missing_required_parameter", "Missing required parameter: 'file'.", "file")
        wanted = form.get("response_format", "json")
        if wanted not in _FORMATS:
            raise unsupported(
                "response_format", f"{show(wanted)} needs times, which are not known; use 'json' or 'text'."
            )
        if any(key.startswith("timestamp_granularities") for key in form):
            raise unsupported("timestamp_granularities", "The times of words are not known; leave it out.")
        hints = check(
            Transcription, {key: form[key] for key in ("model", "language", "prompt") if key in form}
        )
        gateway.check_ready()
        check_meter(meter)
        data = await file.read()
        pcm = await asyncio.to_thread(decode, data, "file", gateway.settings.max_upload_s)
        audio = Audio(random_id("audio"), pcm)
        request = transcription_request(random_id("trans"), audio, hints.language, hints.prompt)
        engine, ended = gateway.transcriber_for(hints.model), gateway.metrics.ended("transcription")
        events = answer_events(engine, request, meter, ended)
        if form.get("stream") == "true":
            return StreamingResponse(_server_sent(await begin(events)), media_type="text/event-stream")
        answer = await unless_gone(http, collect(events))
        if wanted == "text":
            return PlainTextResponse(f"{answer.text}\n")
        return JSONResponse({"text": answer.text, "usage": _usage(answer.usage)})


async def _server_sent(events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    text = ""
    closing: Any = contextlib.aclosing(events)
    async with closing:
        async for event in events:
            if isinstance(event, TextDelta):
                text += event.text
                yield _event({"type": "transcript.text.delta", "delta": event.text})
            elif isinstance(event, Finished):
                if event.reason == "failed":
                    yield _event({"type": "error", "error": failure(event).body(None)})
                    return
                yield _event({"type": "transcript.text.done", "text": text, "usage": _usage(event.usage)})
    yield b"data: [DONE]\n\n"


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(body) + b"\n\n"


def _usage(usage: Usage) -> dict[str, Any]:
    read = usage.input_text_tokens + usage.input_audio_tokens
    return {
        "type": "tokens",
        "input_tokens": read,
        "output_tokens": usage.output_text_tokens,
        "total_tokens": read + usage.output_text_tokens,
        "input_token_details": {
            "text_tokens": usage.input_text_tokens,
            "audio_tokens": usage.input_audio_tokens,
        },
    }
