"""Input transcription: the user's sound written down, beside the conversation and never in its way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine import Audio, Event, Usage
from realtime.protocol.ids import Ids
from realtime.protocol.turns import Transcription
from realtime.session.config import SessionConfig
from realtime.session.content import BYTES_PER_MS, Content
from realtime.session.effects import Cancel, Effect, Start
from realtime.session.making import Make
from realtime.session.transcription_life import Complete, ShowText, TranscriptionState, next_state
from realtime.session.transcription_prompt import transcription_request

_EVENT = "conversation.item.input_audio_transcription"


@dataclass(slots=True)
class _Running:
    item_id: str
    content: Content
    timed: bool
    """Another model does it, whose cost is counted in seconds."""
    state: TranscriptionState = field(default_factory=TranscriptionState)


class Transcriptions:
    """All transcriptions that run in a session."""

    def __init__(self, config: SessionConfig, new_id: Ids, make: Make) -> None:
        self._config = config
        self._new_id = new_id
        self._make = make
        self._running: dict[str, _Running] = {}

    @property
    def running(self) -> bool:
        """At least one is made."""
        return bool(self._running)

    def start(self, item_id: str, content: Content, asked: Transcription | None) -> list[Effect]:
        """Write down one sound of an item, where the session asks for it."""
        if asked is None:
            return []
        other = self._config.transcriber is not None and asked.model == self._config.transcriber
        request_id = self._new_id("trans")
        self._running[request_id] = _Running(item_id, content, timed=other)
        audio = Audio(content.audio_id, bytes(content.pcm))
        request = transcription_request(request_id, audio, asked.language, asked.prompt)
        return [Start(request, transcriber=other)]

    def owns(self, request_id: str) -> bool:
        """This request is one of them."""
        return request_id in self._running

    def engine(self, request_id: str, event: Event) -> list[Effect]:
        """The engine did something for one of them."""
        running = self._running[request_id]
        running.state, step = next_state(running.state, event)
        if step is None:
            return []
        where = {"item_id": running.item_id, "content_index": 0}
        if isinstance(step, ShowText):
            return [self._make(f"{_EVENT}.delta", **where, delta=step.text)]
        del self._running[request_id]
        if isinstance(step, Complete):
            running.content.text = step.transcript
            if self._config.meter:
                self._config.meter.spend(_total(step.usage))
            usage = _usage(running, step.usage)
            return [self._make(f"{_EVENT}.completed", **where, transcript=step.transcript, usage=usage)]
        error = {"type": "server_error", "code": step.code, "message": step.message, "param": None}
        return [self._make(f"{_EVENT}.failed", **where, error=error)]

    def drop(self, item_id: str) -> list[Effect]:
        """The item is gone: nobody is told of its words any more."""
        gone = [request_id for request_id, running in self._running.items() if running.item_id == item_id]
        for request_id in gone:
            del self._running[request_id]
        return [Cancel(request_id) for request_id in gone]

    def close(self) -> list[Effect]:
        """Nobody listens any more."""
        gone = list(self._running)
        self._running.clear()
        return [Cancel(request_id) for request_id in gone]


def _total(usage: Usage) -> int:
    return usage.input_text_tokens + usage.input_audio_tokens + usage.output_text_tokens


def _usage(running: _Running, usage: Usage) -> dict[str, Any]:
    if running.timed:
        return {"type": "duration", "seconds": running.content.made / BYTES_PER_MS / 1000}
    read = usage.input_text_tokens + usage.input_audio_tokens
    return {
        "type": "tokens",
        "total_tokens": _total(usage),
        "input_tokens": read,
        "output_tokens": usage.output_text_tokens,
        "input_token_details": {
            "text_tokens": usage.input_text_tokens,
            "audio_tokens": usage.input_audio_tokens,
        },
    }
