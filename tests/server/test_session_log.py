"""What the logs say of a conversation, and what they keep to themselves."""

import asyncio
import json
import logging
import re
import subprocess

from caller import SILENCE, connect, recording
from serving import COMMAND, app

from engine import EngineSettings
from engine.echo import EchoEngine
from engine.logs import JsonLines, PlainLines

SECRET = "the blue house by the river"


def conversation(url: str) -> str:
    """Words of the user's, an error that quotes them, and a spoken turn. Returns the session's id."""

    async def talk() -> str:
        async with connect(url) as caller:
            session = caller.events[0].session.id
            await caller.say(SECRET)
            await caller.do.response.create()
            await caller.until("response.done")
            await caller.refused("response.cancel", response_id=SECRET)
            await caller.configure(turn_detection={"type": "server_vad", "silence_duration_ms": 400})
            await caller.append(recording("question") + SILENCE)
            await caller.until("response.done")
            return session

    return asyncio.run(talk())


def served(*options: str) -> tuple[str, list[str]]:
    """Hold the conversation with the command; returns the session's id and the lines of its log."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--model", "echo", "--port", "0", *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if found := re.match(r"Ready: (wss?://\S+?)/v1/realtime ", line):
            break
    session = conversation(found[1])
    process.terminate()
    rest = process.stderr.read().splitlines()
    process.wait(20)
    return session, rest


def test_a_json_object_a_line_with_ids_and_without_content():
    session, lines = served("--log", "json", "--log-events", "ids")
    objects = [json.loads(line) for line in lines if line.startswith("{")]
    assert all({"time", "level", "process", "logger", "message"} <= one.keys() for one in objects)
    told = [one for one in objects if one["logger"] == "chroma_realtime.session"]
    assert {one["session_id"] for one in told} == {session}
    messages = [one["message"] for one in told]
    assert messages == ["session opened", "response done", "error told", "response done", "session closed"]
    written, spoken = (one for one in told if one["message"] == "response done")
    assert written["status"] == spoken["status"] == "completed"
    assert "after_commit_ms" not in written
    assert 0 <= spoken["after_commit_ms"] <= spoken["after_speech_ms"]
    assert spoken["sound_s"] > 1
    error = next(one for one in told if one["message"] == "error told")
    assert error["code"] == "response_cancel_not_active"
    assert error["event_id"].startswith("event_")
    assert told[-1]["answers"] == 2

    events = [one for one in objects if one["logger"] == "chroma_realtime.events"]
    types = [(one["message"], one["type"]) for one in events]
    assert types[0] == ("sent", "session.created")
    assert ("received", "input_audio_buffer.append") in types
    deltas = [one for one in events if one["type"] == "response.output_audio.delta"]
    assert {one["response_id"] for one in deltas} == {written["response_id"], spoken["response_id"]}
    assert all(one["bytes"] > 0 for one in deltas)
    everything = "\n".join(lines)
    assert SECRET not in everything
    cancel = next(one for one in events if one["type"] == "response.cancel")
    assert cancel["response_id"] == "invalid", "a client may put anything in the place of an id"
    assert 'audio"' not in everything.replace('output_audio"', "")
    assert max(map(len, lines)) < 1000


def test_all_of_an_event_is_logged_only_where_that_is_asked_for(caplog):
    caplog.set_level(logging.INFO)
    with app(EchoEngine(EngineSettings(model="echo"))) as url:
        conversation(url)
    assert "session opened" in caplog.messages
    assert not [record for record in caplog.records if record.name == "chroma_realtime.events"]
    with app(EchoEngine(EngineSettings(model="echo")), log_events="all") as url:
        conversation(url)
    events = [record for record in caplog.records if record.name == "chroma_realtime.events"]
    assert any(SECRET in str(record.fields["event"]) for record in events if "event" in record.fields)


def line(formatter: logging.Formatter, **extra: object) -> str:
    record = logging.LogRecord("engine.x", logging.WARNING, "x.py", 1, "%d frames", (3,), None)
    for name, value in extra.items():
        setattr(record, name, value)
    return formatter.format(record)


def test_a_line_for_a_person_has_its_fields_behind_it():
    said = line(PlainLines("engine "), fields={"session_id": "sess_1", "gaps": 2})
    assert re.fullmatch(r"\S+ \S+ WARNING engine engine\.x: 3 frames session_id=sess_1 gaps=2", said)


def test_a_traceback_stays_within_its_line():
    try:
        raise RuntimeError("broken\nin two")
    except RuntimeError as error:
        said = line(JsonLines("gateway"), exc_info=(type(error), error, error.__traceback__))
    assert "\n" not in said
    assert "RuntimeError" in json.loads(said)["error"]
    assert json.loads(said)["message"] == "3 frames"
