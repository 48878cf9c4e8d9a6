"""A session driven with data: made-up ids, no clock, no socket."""

import base64
import itertools
import json
from typing import Any

from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from engine import AudioDelta, Finished, Started, TextDelta, Usage
from realtime.session.config import SessionConfig
from realtime.session.effects import Effect, Send, SendAudio, Start
from realtime.session.session import Session

WINDOW = 768
SERVER_EVENT = TypeAdapter(RealtimeServerEvent)


def event_of(effect: Effect) -> dict[str, Any] | None:
    """The server event of an effect, as it goes over the wire."""
    if isinstance(effect, Send):
        return effect.event
    if isinstance(effect, SendAudio):
        fields = ("event_id", "response_id", "item_id", "output_index", "content_index")
        event = {name: getattr(effect, name) for name in fields}
        return {
            "type": "response.output_audio.delta",
            "delta": base64.b64encode(effect.sound).decode(),
        } | event
    return None


def validated(event: dict[str, Any]) -> dict[str, Any]:
    """The event, after the openai package's own types took it for what it says it is."""
    parsed = SERVER_EVENT.validate_json(json.dumps(event))
    assert parsed.type == event["type"]
    return event


class Driver:
    """A session and all it has done."""

    def __init__(self, **config: Any) -> None:
        numbers = itertools.count(1)
        self.config = SessionConfig(**{"model": "chroma", "voices": ("ada", "bob")} | config)
        self.now = 1000.0
        self.session = Session(
            self.config, clock=lambda: self.now, ids=lambda prefix: f"{prefix}_{next(numbers)}"
        )
        self.effects: list[Effect] = []
        self.events: list[dict[str, Any]] = []
        self.do(self.session.open())

    def do(self, effects: list[Effect]) -> list[dict[str, Any]]:
        """Take effects; returns the events among them, each validated."""
        self.effects += effects
        events = [validated(event) for effect in effects if (event := event_of(effect))]
        self.events += events
        return events

    def send(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        return self.do(self.session.receive(json.dumps({"type": kind, **fields})))

    def error(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send something wrong; returns the one error it gets."""
        (event,) = self.send(kind, event_id="mine", **fields)
        assert event["type"] == "error"
        assert set(event["error"]) == {"type", "code", "message", "param", "event_id"}
        assert event["error"]["event_id"] == "mine"
        return event["error"]

    def configure(self, **audio_input: Any) -> list[dict[str, Any]]:
        return self.send("session.update", session={"type": "realtime", "audio": {"input": audio_input}})

    def append(self, pcm: bytes) -> list[dict[str, Any]]:
        return self.send("input_audio_buffer.append", audio=base64.b64encode(pcm).decode())

    def hear(self, *probabilities: float, epoch: int = 0) -> list[dict[str, Any]]:
        return self.do(self.session.heard(epoch, probabilities))

    def say(self, text: str) -> list[dict[str, Any]]:
        content = [{"type": "input_text", "text": text}]
        return self.send(
            "conversation.item.create", item={"type": "message", "role": "user", "content": content}
        )

    def respond(self, **response: Any) -> str:
        """Ask for a response; returns its id."""
        events = self.send("response.create", **({"response": response} if response else {}))
        assert [event["type"] for event in events] == ["response.created"]
        return events[0]["response"]["id"]

    def engine(self, request_id: str, *events: Any) -> list[dict[str, Any]]:
        return [event for one in events for event in self.do(self.session.engine(request_id, one))]

    def at(self, now: float) -> list[dict[str, Any]]:
        """Time has passed."""
        self.now = now
        return self.do(self.session.tick())

    def requests(self) -> list[Any]:
        return [effect.request for effect in self.effects if isinstance(effect, Start)]


USAGE = Usage(input_text_tokens=7, input_audio_tokens=25, output_text_tokens=3, output_audio_tokens=2)
FRAME = b"\1\0" * 1920
ANSWER = (
    Started(Usage(input_text_tokens=7, input_audio_tokens=25)),
    TextDelta("Hello "),
    AudioDelta(FRAME),
    TextDelta("there, you.", tokens=2),
    AudioDelta(FRAME),
    Finished("completed", USAGE),
)


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]
