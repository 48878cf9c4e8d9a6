"""The user's sound written down: deltas, the end, a failure that is nobody else's."""

import pytest
from driving import ANSWER, FRAME, Driver, types

from engine import Audio, Finished, Text, TextDelta, Usage
from realtime.session.effects import Cancel, Start

EVENT = "conversation.item.input_audio_transcription"
SOUND = FRAME * 3
USAGE = Usage(input_text_tokens=20, input_audio_tokens=6, output_text_tokens=3)


def listening(config=None, **transcription):
    driver = Driver(**(config or {}))
    driver.configure(turn_detection=None, transcription={"model": "gpt-4o-mini-transcribe", **transcription})
    return driver


def commit(driver):
    driver.append(SOUND)
    return driver.send("input_audio_buffer.commit")[0]["item_id"]


def started(driver):
    return [effect for effect in driver.effects if isinstance(effect, Start)][-1]


def test_deltas_then_the_whole_and_what_it_cost():
    driver = listening()
    item = commit(driver)
    request = started(driver).request
    assert not request.speak
    events = driver.engine(request.id, TextDelta("Hello "), TextDelta("there."), Finished("completed", USAGE))
    assert types(events) == [f"{EVENT}.delta"] * 2 + [f"{EVENT}.completed"]
    assert {(event["item_id"], event["content_index"]) for event in events} == {(item, 0)}
    assert events[-1]["transcript"] == "Hello there."
    assert events[-1]["usage"] == {
        "type": "tokens",
        "total_tokens": 29,
        "input_tokens": 26,
        "output_tokens": 3,
        "input_token_details": {"text_tokens": 20, "audio_tokens": 6},
    }
    (retrieved,) = driver.send("conversation.item.retrieve", item_id=item)
    assert retrieved["item"]["content"][0]["transcript"] == "Hello there."


def test_the_session_is_busy_until_it_is_written_down():
    driver = listening()
    commit(driver)
    assert driver.session.busy
    driver.engine(started(driver).request.id, TextDelta("Hello."), Finished("completed", USAGE))
    assert not driver.session.busy


def test_the_model_is_shown_the_sound_itself_all_the_same():
    driver = listening()
    commit(driver)
    request = started(driver).request
    heard = [part for message in request.messages for part in message.parts if isinstance(part, Audio)]
    driver.engine(request.id, TextDelta("Hello."), Finished("completed", USAGE))
    driver.respond()
    assert driver.requests()[-1].messages[-1].parts == tuple(heard), "one sound, encoded once"


def test_hints_are_passed_on():
    driver = listening(language="de", prompt="Flugzeuge")
    (updated,) = [event for event in driver.events if event["type"] == "session.updated"]
    shown = updated["session"]["audio"]["input"]["transcription"]
    assert shown == {"model": "gpt-4o-mini-transcribe", "language": "de", "prompt": "Flugzeuge"}
    commit(driver)
    request = started(driver).request
    assert (request.transcribe.language, request.transcribe.prompt) == ("de", "Flugzeuge")
    task = request.messages[0].parts[0]
    assert isinstance(task, Text)
    assert "German" in task.text
    assert "Flugzeuge" in task.text


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (Finished("failed", code="engine_died", message="It died."), "engine_died"),
        (Finished("cancelled"), "transcription_failed"),
    ],
)
def test_a_failure_is_an_event_of_its_own(end, code):
    driver = listening()
    item = commit(driver)
    response = driver.respond()
    request = next(effect.request for effect in driver.effects if isinstance(effect, Start))
    (failed,) = driver.engine(request.id, end)
    assert (failed["type"], failed["item_id"], failed["error"]["code"]) == (f"{EVENT}.failed", item, code)
    assert all(isinstance(failed["error"][key], str) for key in ("type", "code", "message"))
    assert types(driver.engine(response, *ANSWER))[-1] == "response.done"


def test_it_may_end_in_the_middle_of_an_answer_or_after_it():
    driver = listening()
    commit(driver)
    request = started(driver).request
    response = driver.respond()
    driver.engine(response, *ANSWER[:3])
    assert types(driver.engine(request.id, TextDelta("Hi"))) == [f"{EVENT}.delta"]
    driver.engine(response, *ANSWER[3:])
    assert types(driver.engine(request.id, Finished("completed", USAGE))) == [f"{EVENT}.completed"]
    assert driver.engine(request.id, TextDelta("late")) == []


def test_an_answer_by_voice_activity_is_asked_for_before_the_words():
    driver = Driver()
    driver.configure(
        turn_detection={"type": "server_vad", "silence_duration_ms": 64}, transcription={"model": "any"}
    )
    driver.append(bytes(1536 * 10))
    driver.hear(0.9, 0.9, 0, 0)
    assert [request.speak for request in driver.requests()] == [True, False]


def test_a_deleted_item_is_not_heard_of_any_more():
    driver = listening()
    item = commit(driver)
    request = started(driver).request
    assert types(driver.send("conversation.item.delete", item_id=item)) == ["conversation.item.deleted"]
    assert Cancel(request.id) in driver.effects
    assert driver.engine(request.id, TextDelta("Hi"), Finished("completed", USAGE)) == []


def test_the_end_of_the_session_ends_it():
    driver = listening()
    commit(driver)
    assert Cancel(started(driver).request.id) in driver.session.close()


def test_a_model_beside_the_engine_answers_where_it_is_named():
    driver = listening({"transcriber": "openai/whisper-base"}, model="openai/whisper-base")
    commit(driver)
    start = started(driver)
    assert start.transcriber
    (completed,) = driver.engine(start.request.id, Finished("completed", Usage(output_text_tokens=2)))
    assert completed["usage"] == {"type": "duration", "seconds": 0.24}
    driver.configure(transcription={"model": "whisper-1"})
    commit(driver)
    assert not started(driver).transcriber, "any other name is the model's own"


# Sessions that only transcribe.


@pytest.fixture
def scribe():
    return Driver(type="transcription")


def test_a_transcription_session_shows_what_it_is(scribe):
    session = scribe.events[0]["session"]
    assert (session["type"], session["object"]) == ("transcription", "realtime.transcription_session")
    assert set(session) == {"type", "object", "id", "expires_at", "audio", "include"}
    assert set(session["audio"]) == {"input"}
    assert session["audio"]["input"]["turn_detection"]["type"] == "server_vad"


def test_a_transcription_session_writes_down_and_never_answers(scribe):
    patch = {"type": "transcription", "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}}
    (updated,) = scribe.send("session.update", session=patch)
    assert updated["session"]["audio"]["input"]["transcription"] == {
        "model": "gpt-4o-transcribe",
        "language": None,
        "prompt": None,
    }
    scribe.append(bytes(1536 * 30))
    events = scribe.hear(0.9, 0.9, *[0.0] * 20)
    assert types(events) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    (request,) = scribe.requests()
    assert types(scribe.engine(request.id, TextDelta("Hi"), Finished("completed", USAGE))) == [
        f"{EVENT}.delta",
        f"{EVENT}.completed",
    ]
    assert scribe.at(scribe.now + 100) == []


@pytest.mark.parametrize("kind", ["response.create", "response.cancel", "conversation.item.create"])
def test_a_transcription_session_takes_nothing_else(scribe, kind):
    error = scribe.error(kind)
    assert (error["code"], error["param"]) == ("invalid_value", "type")
    assert "'input_audio_buffer.append'" in error["message"]


def test_a_session_keeps_its_type(scribe):
    error = scribe.error("session.update", session={"type": "realtime"})
    assert (error["code"], error["param"]) == ("invalid_value", "session.type")
