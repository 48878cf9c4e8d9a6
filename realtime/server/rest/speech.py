"""`POST /v1/audio/speech`: given words in a cloned voice.

Chroma answers by itself, but what it says is spoken from the Reasoner's states at each token of its text:
given the tokens, it speaks these (`engine.Request.say`).
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse

from engine import SAMPLE_RATE, AudioDelta, Event, Message, Request, Text
from realtime.audio.formats import SoundEncoder
from realtime.protocol.ids import random_id
from realtime.protocol.validation import Number, Str, Wire, check
from realtime.protocol.values import STOCK_VOICES, VoiceName
from realtime.server.gateway import Gateway
from realtime.server.rest.answering import (
    answer_events,
    begin,
    check_meter,
    collect,
    unless_gone,
)
from realtime.server.rest.body import read_json
from realtime.server.rest.sound_files import CONTAINERS, RAW, check_container, encode

_LARGEST_BODY = 1024 * 1024


class _Body(Wire):
    input: Annotated[Str, Field(min_length=1, max_length=4096)]
    voice: VoiceName | None = None
    instructions: Str | None = None
    response_format: Str = "mp3"
    speed: Annotated[Number, Field(ge=0.25, le=1.5)] = 1.0
    stream_format: Literal["audio"] = "audio"


class SpeechRoutes:
    """Speaks what it is given."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def create(self, http: HttpRequest) -> Response:
        """`POST /v1/audio/speech`. pcm and wav are sent as they are made, the others when they are whole."""
        gateway, meter = self._gateway, http.state.caller.meter
        body = check(_Body, await read_json(http, _LARGEST_BODY))
        container = check_container(body.response_format, "response_format")
        gateway.check_ready()
        check_meter(meter)
        events = answer_events(gateway.engine, _request(body), meter, gateway.metrics.ended("speech"))
        encoder = SoundEncoder("audio/pcm", body.speed)
        if container in RAW or container == "wav":
            first = await begin(events)
            kind = "audio/wav" if container == "wav" else f"audio/pcm;rate={SAMPLE_RATE}"
            head = _endless_wav() if container == "wav" else b""
            return StreamingResponse(_sound(first, encoder, head), media_type=kind)
        answer = await unless_gone(http, collect(events))
        pcm = encoder.add(bytes(answer.pcm)) + encoder.flush()
        data = await asyncio.to_thread(encode, pcm, container)
        return Response(data, media_type=CONTAINERS[container][2])


def _request(body: _Body) -> Request:
    task = "Say what you are given aloud, word for word."
    system = f"{task} {body.instructions}" if body.instructions else task
    return Request(
        id=random_id("speech"),
        messages=(Message("system", (Text(system),)), Message("user", (Text(body.input),))),
        voice=None if body.voice in (None, *STOCK_VOICES) else body.voice,
        say=body.input,
    )


async def _sound(events: AsyncIterator[Event], encoder: SoundEncoder, head: bytes) -> AsyncIterator[bytes]:
    yield head
    closing: Any = contextlib.aclosing(events)
    async with closing:
        async for event in events:
            if isinstance(event, AudioDelta):
                yield encoder.add(event.pcm)
    yield encoder.flush()


def _endless_wav() -> bytes:
    """The header of a wav file whose length nobody knows yet."""
    most = 0xFFFFFFFF
    form = struct.pack("<HHIIHH", 1, 1, SAMPLE_RATE, 2 * SAMPLE_RATE, 2, 16)
    return (
        struct.pack("<4sI4s4sI", b"RIFF", most, b"WAVE", b"fmt ", len(form))
        + form
        + struct.pack("<4sI", b"data", most)
    )
