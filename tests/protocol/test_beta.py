"""The older dialect: both ways, event by event, as the openai package's own beta types have it."""

import json
from types import SimpleNamespace

import pytest
from openai.types.beta.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

from engine import AudioDelta, Finished, TextDelta, ToolCall, Usage
from realtime.protocol import beta
from realtime.session.config import SessionConfig
from realtime.session.effects import Send, Start
from realtime.session.session import Session

EVENT = TypeAdapter(RealtimeServerEvent)
FLAT = {
    "modalities": ["text", "audio"],
    "voice": "verse",
    "speed": 1.25,
    "temperature": 0.8,
    "input_audio_format": "g711_ulaw",
    "output_audio_format": "g711_alaw",
    "input_audio_transcription": {"model": "whisper-1"},
    "input_audio_noise_reduction": None,
    "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
    "max_response_output_tokens": 99,
    "instructions": "Be brief.",
    "tools": [{"type": "function", "name": "f", "parameters": {}}],
    "tool_choice": "auto",
}


class Old:
    """A session as a client of the beta sees it."""

    def __init__(self, kind="realtime"):
        self.session = Session(SessionConfig("chroma", kind), clock=lambda: 1000.0)
        self.effects = []
        self.created = self.take(self.session.open())[0]

    def take(self, effects):
        self.effects += effects
        told = [beta.outgoing(effect.event) for effect in effects if isinstance(effect, Send)]
        events = [event for event in told if event]
        for event in events:
            assert EVENT.validate_json(json.dumps(event)).type == event["type"]
        return [SimpleNamespace(**event) for event in events]

    def send(self, kind, **fields):
        event = beta.incoming({"type": kind, **fields})
        return self.take(self.session.receive(json.dumps(event)))

    def engine(self, *events):
        request = [effect for effect in self.effects if isinstance(effect, Start)][-1].request
        return [told for event in events for told in self.take(self.session.engine(request.id, event))]


def test_a_flat_session_comes_back_flat():
    (updated,) = Old().send("session.update", session=FLAT)
    shown = updated.session
    assert {
        key: shown[key] for key in FLAT if key not in ("turn_detection", "input_audio_transcription")
    } == {key: FLAT[key] for key in FLAT if key not in ("turn_detection", "input_audio_transcription")}
    assert shown["turn_detection"]["silence_duration_ms"] == 300
    assert shown["input_audio_transcription"]["model"] == "whisper-1"
    assert "audio" not in shown


@pytest.mark.parametrize("modality", ["text", "audio"])
def test_a_response_has_the_older_names(modality):
    old = Old()
    content = [{"type": "input_text", "text": "Hi"}]
    item = {"type": "message", "role": "user", "content": content}
    assert [event.type for event in old.send("conversation.item.create", item=item)] == [
        "conversation.item.created"
    ]
    asked = ["text"] if modality == "text" else ["text", "audio"]
    (created,) = old.send("response.create", response={"modalities": asked, "voice": "verse"})
    assert (created.response["modalities"], created.response["voice"]) == (asked, "verse")
    events = old.engine(TextDelta("Yes."), AudioDelta(bytes(3840)), Finished("completed", Usage()))
    kinds = [event.type for event in events]
    words = "response.text" if modality == "text" else "response.audio_transcript"
    assert kinds[:4] == [
        "response.output_item.added",
        "conversation.item.created",
        "response.content_part.added",
        f"{words}.delta",
    ]
    assert ("response.audio.done" in kinds) is (modality == "audio")
    (part,) = events[-1].response["output"][0]["content"]
    assert part["type"] == modality


def test_a_call_is_done_without_a_name():
    old = Old()
    old.send("session.update", session={"tools": FLAT["tools"]})
    old.send("response.create", response={"max_response_output_tokens": 20})
    events = old.engine(ToolCall("f", "{}"), Finished("completed", Usage()))
    done = next(event for event in events if event.type.endswith("arguments.done"))
    assert not hasattr(done, "name")
    assert events[-1].response["output"][0]["name"] == "f"


def test_an_assistants_words_may_be_given_as_they_were_then():
    item = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Yes."}]}
    (created,) = Old().send("conversation.item.create", item=item)
    assert created.item["content"] == [{"type": "text", "text": "Yes."}]


@pytest.mark.parametrize(
    ("kind", "fields", "param"),
    [
        ("session.update", {"session": {"input_audio_format": "mp3"}}, "session.input_audio_format.type"),
        ("session.update", {"session": {"turn_detection": {"type": "x"}}}, "session.turn_detection.type"),
        ("session.update", {"session": {"modalities": ["smell"]}}, "session.modalities[0]"),
        ("session.update", {"session": 5}, "session"),
        ("response.create", {"response": {"voice": "nobody"}}, "response.voice"),
        (
            "response.create",
            {"response": {"max_response_output_tokens": 0}},
            "response.max_response_output_tokens",
        ),
        ("response.create", {"response": []}, "response"),
        ("session.update", {}, "session"),
    ],
)
def test_what_is_wrong_is_named_where_the_client_wrote_it(kind, fields, param):
    (event,) = Old().send(kind, **fields)
    assert (event.type, event.error["param"]) == ("error", param)


def test_a_transcription_session_is_updated_by_its_own_event():
    old = Old("transcription")
    (updated,) = old.send(
        "transcription_session.update",
        session={"input_audio_format": "pcm16", "input_audio_transcription": {"model": "gpt-4o-transcribe"}},
    )
    assert updated.type == "transcription_session.updated"
    assert updated.session["input_audio_transcription"]["model"] == "gpt-4o-transcribe"
