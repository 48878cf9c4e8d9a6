"""Asking the engine from an HTTP request: who waits may go away, what was lent is forgotten."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.requests import Request as HttpRequest

from engine import (
    AudioDelta,
    Engine,
    Event,
    Finished,
    Reference,
    Request,
    TextDelta,
    ToolCall,
    Usage,
)
from realtime.protocol.errors import ProtocolError
from realtime.session.config import Meter

Result = TypeVar("Result")
_OF_THE_REQUEST = ("context_length_exceeded", "unknown_voice", "voice_")


class ClientGone(Exception):  # noqa: N818
    """Nobody waits for the response any more."""


@dataclass(slots=True)
class Answer:
    """A whole answer."""

    text: str = ""
    pcm: bytearray = field(default_factory=bytearray)
    calls: list[ToolCall] = field(default_factory=list)
    reason: str = "completed"
    usage: Usage = field(default_factory=Usage)


def failure(end: Finished) -> ProtocolError:
    """Why an answer failed, as an error of the API."""
    code = end.code or "engine_error"
    kind = "invalid_request_error" if code.startswith(_OF_THE_REQUEST) else "server_error"
    return ProtocolError(code, end.message or "The engine failed.", kind=kind)


def check_meter(meter: Meter | None) -> None:
    """Raises ProtocolError `rate_limit_exceeded`."""
    if meter and (refusal := meter.refusal()):
        raise ProtocolError("rate_limit_exceeded", refusal, kind="rate_limit_error")


async def answer_events(
    engine: Engine, request: Request, meter: Meter | None, ended: Callable[[str], None]
) -> AsyncIterator[Event]:
    """What the engine does for a request. Closing it early cancels; the sounds are forgotten in any case.
    `ended` hears once how it ended: completed, incomplete, failed, or cancelled."""
    events = engine.respond(request)
    status = "cancelled"
    try:
        async for event in events:
            if isinstance(event, Finished):
                status = "incomplete" if event.reason == "length" else event.reason
                if meter:
                    meter.spend(total(event.usage))
            yield event
    finally:
        ended(status)
        with contextlib.suppress(Exception):
            await events.aclose()  # type: ignore[attr-defined]
        await engine.forget(_lent(request))


async def collect(events: AsyncIterator[Event]) -> Answer:
    """The whole of an answer.

    Raises:
        ProtocolError: it failed.
    """
    answer = Answer()
    async with contextlib.aclosing(events) as closing:  # type: ignore[type-var]
        async for event in closing:
            if isinstance(event, TextDelta):
                answer.text += event.text
            elif isinstance(event, AudioDelta):
                answer.pcm += event.pcm
            elif isinstance(event, ToolCall):
                answer.calls.append(event)
            elif isinstance(event, Finished):
                if event.reason in ("failed", "cancelled"):
                    raise failure(event)
                answer.reason, answer.usage = event.reason, event.usage
    return answer


async def begin(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """The same events, once the first that a client sees is there.

    Raises:
        ProtocolError: the answer failed before that.
    """
    seen: list[Event] = []
    async for event in events:
        seen.append(event)
        if isinstance(event, Finished) and event.reason == "failed":
            await events.aclose()  # type: ignore[attr-defined]
            raise failure(event)
        if isinstance(event, TextDelta | AudioDelta | ToolCall | Finished):
            break

    async def rest() -> AsyncIterator[Event]:
        try:
            for event in seen:
                yield event
            async for event in events:
                yield event
        finally:
            await events.aclose()  # type: ignore[attr-defined]

    return rest()


async def unless_gone(http: HttpRequest, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of `work`, which is cancelled where the client goes away. The body has to be read.

    Raises:
        ClientGone: it has gone.
    """
    task = asyncio.ensure_future(work)
    watch = asyncio.ensure_future(_disconnected(http))
    try:
        await asyncio.wait({task, watch}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientGone
    finally:
        for one in (task, watch):
            one.cancel()
        await asyncio.gather(task, watch, return_exceptions=True)


async def _disconnected(http: HttpRequest) -> None:
    while (await http.receive())["type"] != "http.disconnect":
        pass


def total(usage: Usage) -> int:
    """All tokens of an answer, read and made."""
    read = usage.input_text_tokens + usage.input_audio_tokens
    return read + usage.output_text_tokens + usage.output_audio_tokens


def _lent(request: Request) -> list[str]:
    sounds = [sound.id for sound in request.sounds()]
    return sounds + ([request.voice.id] if isinstance(request.voice, Reference) else [])
