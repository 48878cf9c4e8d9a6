"""A session of the openai package's asynchronous client, whose every event is checked."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import soundfile
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from serving import SPEECH

SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)
PATIENCE = 20.0
SILENCE = bytes(48_000)
"""One second."""


def recording(name: str) -> bytes:
    """PCM16 at 24 kHz."""
    sound, rate = soundfile.read(SPEECH / f"{name}.wav", dtype="int16")
    assert rate == 24_000
    return sound.tobytes()


def encoded(pcm: bytes) -> str:
    return base64.b64encode(pcm).decode()


@contextlib.asynccontextmanager
async def connect(url: str, **options: Any) -> AsyncIterator[Caller]:
    """A session at a server's base URL; `session.created` is read."""
    client = openai.AsyncOpenAI(api_key="none", websocket_base_url=f"{url}/v1")
    async with client.realtime.connect(model="gpt-realtime", **options) as connection:
        caller = Caller(connection)
        assert (await caller.next()).type == "session.created"
        yield caller


class Caller:
    """An open session; `do` is the client's connection."""

    def __init__(self, connection: Any) -> None:
        self.do = connection
        self.events: list[Any] = []

    async def next(self) -> Any:
        """The next event, which the openai package's own types take for what it says it is."""
        async with asyncio.timeout(PATIENCE):
            frame = await self.do.recv_bytes()
        event = SERVER_EVENT.validate_json(frame)
        assert event.type == json.loads(frame)["type"]
        self.events.append(event)
        return event

    async def until(self, kind: str) -> list[Any]:
        """The events up to the first of this type, which is the last of them."""
        events = [await self.next()]
        while events[-1].type != kind:
            assert events[-1].type != "error", events[-1].error
            events.append(await self.next())
        return events

    async def refused(self, kind: str, **fields: Any) -> Any:
        """The error that this is answered with."""
        await self.do.send({"type": kind, "event_id": "mine", **fields})
        event = await self.next()
        assert event.type == "error"
        assert event.error.event_id == "mine"
        return event.error

    async def configure(self, **audio_input: Any) -> Any:
        await self.do.session.update(session={"type": "realtime", "audio": {"input": audio_input}})
        return (await self.until("session.updated"))[-1].session

    async def append(self, pcm: bytes, size: int = 1920) -> None:
        for start in range(0, len(pcm), size):
            await self.do.input_audio_buffer.append(audio=encoded(pcm[start : start + size]))

    async def say(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        await self.do.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        await self.until("conversation.item.done")


def types(events: list[Any]) -> list[str]:
    return [event.type for event in events]


def sound(events: list[Any]) -> bytes:
    """The sound of the deltas among the events."""
    deltas = [event.delta for event in events if event.type == "response.output_audio.delta"]
    return b"".join(map(base64.b64decode, deltas))
