"""Event sequences, exactly as the protocol's reference gives them."""

import base64

import orjson
import pytest
from driving import ANSWER, FRAME, USAGE, Driver, types

from engine import Audio, AudioDelta, Finished, Message, Text, TextDelta
from realtime.session.effects import Cancel, Close, Forget

OPEN_ITEM = ["response.output_item.added", "conversation.item.added", "response.content_part.added"]
TAIL = ["response.content_part.done", "conversation.item.done", "response.output_item.done", "response.done"]
AUDIO_TAIL = ["response.output_audio.done", "response.output_audio_transcript.done", *TAIL]


def test_a_session_begins_with_its_whole_configuration(driver):
    session = driver.events[0]["session"]
    assert types(driver.events) == ["session.created"]
    assert (session["type"], session["object"], session["model"]) == (
        "realtime",
        "realtime.session",
        "chroma",
    )
    assert session["expires_at"] == 4600
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 500,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    }
    assert session["audio"]["output"] == {
        "format": {"type": "audio/pcm", "rate": 24000},
        "voice": "ada",
        "speed": 1.0,
    }
    assert "Chroma" in session["instructions"]
    assert (session["tools"], session["tool_choice"], session["max_output_tokens"]) == ([], "auto", "inf")


def test_a_text_turn(driver):
    created = driver.say("Hi")
    assert types(created) == ["conversation.item.added", "conversation.item.done"]
    assert [event["previous_item_id"] for event in created] == [None, None]
    response = driver.respond(output_modalities=["text"], metadata={"topic": "greeting"})
    events = driver.engine(response, *ANSWER)
    text = "response.output_text"
    assert types(events) == [*OPEN_ITEM, f"{text}.delta", f"{text}.delta", f"{text}.done", *TAIL]
    done = events[-1]["response"]
    assert done["status"] == "completed"
    assert done["metadata"] == {"topic": "greeting"}
    assert done["output"][0]["content"] == [{"type": "output_text", "text": "Hello there, you."}]
    assert events[1]["previous_item_id"] == created[0]["item"]["id"]
    (request,) = driver.requests()
    assert request.id == response
    assert not request.speak
    assert request.messages[1] == Message("user", (Text("Hi"),))


def test_a_manual_audio_turn(driver):
    driver.configure(turn_detection=None)
    sound = bytes(range(256)) * 40
    assert driver.append(sound[:777]) == driver.append(sound[777:]) == []
    events = driver.send("input_audio_buffer.commit")
    assert types(events) == [
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    item = events[1]["item"]
    assert item["content"] == [{"type": "input_audio", "transcript": None}]
    assert events[0]["item_id"] == item["id"]
    response = driver.respond()
    events = driver.engine(response, *ANSWER)
    transcript, sounds = "response.output_audio_transcript.delta", "response.output_audio.delta"
    assert types(events) == [*OPEN_ITEM, transcript, sounds, transcript, sounds, *AUDIO_TAIL]
    assert events[2]["part"] == {"type": "audio", "transcript": ""}
    done = events[-1]["response"]
    assert done["output"][0]["content"] == [{"type": "output_audio", "transcript": "Hello there, you."}]
    assert done["usage"]["total_tokens"] == 37
    assert done["usage"]["input_token_details"]["audio_tokens"] == 25
    assert done["usage"]["output_token_details"] == {"text_tokens": 3, "audio_tokens": 2}
    (request,) = driver.requests()
    (audio,) = request.messages[-1].parts
    assert isinstance(audio, Audio)
    assert audio.pcm == sound


def test_the_next_turn_carries_the_whole_conversation(driver):
    driver.say("One")
    driver.engine(driver.respond(), *ANSWER)
    driver.say("Two")
    driver.respond(instructions="Rhyme.")
    first, second = driver.requests()
    assert [message.role for message in second.messages] == ["system", "user", "assistant", "user"]
    assert second.messages[0].parts == (Text("Rhyme."),)
    assert second.messages[2].parts == (Text("Hello there, you."),)
    assert first.messages[0].parts[0].text == driver.config.instructions


@pytest.mark.parametrize("spoken", [True, False])
def test_cancel(driver, spoken):
    driver.say("Hi")
    response = driver.respond(output_modalities=["audio" if spoken else "text"])
    driver.engine(response, *ANSWER[:3])
    events = driver.send("response.cancel")
    assert types(events) == (AUDIO_TAIL if spoken else ["response.output_text.done", *TAIL])
    done = events[-1]["response"]
    assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert done["output"][0]["status"] == "incomplete"
    assert done["usage"]["input_tokens"] == 32
    assert done["usage"]["output_token_details"] == {"text_tokens": 1, "audio_tokens": int(spoken)}
    assert Cancel(response) in driver.effects
    assert driver.engine(response, *ANSWER[3:]) == [], "what comes late is dropped"
    assert driver.error("response.cancel")["code"] == "response_cancel_not_active"


def test_an_answer_that_the_engine_gave_up_by_itself_is_cancelled(driver):
    response = driver.respond()
    events = driver.engine(response, *ANSWER[:3], Finished("cancelled", USAGE))
    assert types(events)[-6:] == AUDIO_TAIL
    assert events[-1]["response"]["status"] == "cancelled"
    assert types(driver.engine(driver.respond(), *ANSWER))[-1] == "response.done"


def test_what_an_old_answer_still_yields_does_not_reach_the_new_one(driver):
    old = driver.respond()
    driver.engine(old, *ANSWER[:2])
    driver.send("response.cancel")
    new = driver.respond()
    assert driver.engine(old, *ANSWER[2:]) == []
    done = driver.engine(new, *ANSWER)[-1]["response"]
    assert (done["id"], done["status"]) == (new, "completed")
    assert done["output"][0]["content"][0]["transcript"] == "Hello there, you."


def test_cancel_before_anything_is_made(driver):
    response = driver.respond()
    (done,) = driver.send("response.cancel", response_id=response)
    assert done["type"] == "response.done"
    assert done["response"]["output"] == []
    assert driver.engine(response, *ANSWER) == []


def test_a_limit_ends_a_response_as_incomplete(driver):
    response = driver.respond(max_output_tokens=9)
    assert driver.requests()[0].max_tokens == 9
    events = driver.engine(response, TextDelta("Hel"), AudioDelta(FRAME), Finished("length", USAGE))
    done = events[-1]["response"]
    assert (done["status"], done["max_output_tokens"]) == ("incomplete", 9)
    assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert done["output"][0]["status"] == "incomplete"


@pytest.mark.parametrize(
    ("code", "kind"), [("context_length_exceeded", "invalid_request_error"), ("engine_died", "server_error")]
)
def test_a_failure_closes_what_is_open(driver, code, kind):
    response = driver.respond()
    events = driver.engine(response, *ANSWER[:3], Finished("failed", code=code, message="No."))
    assert types(events)[-6:] == AUDIO_TAIL
    done = events[-1]["response"]
    assert done["status_details"] == {
        "type": "failed",
        "error": {"type": kind, "code": code, "message": "No."},
    }
    assert done["usage"]["total_tokens"] == 0
    assert driver.respond() != response, "the session lives on"


def test_items_are_placed_where_the_client_says(driver):
    def create(name, after=None):
        item = {
            "type": "message",
            "id": name,
            "role": "user",
            "content": [{"type": "input_text", "text": name}],
        }
        return driver.send("conversation.item.create", item=item, previous_item_id=after)[0][
            "previous_item_id"
        ]

    assert [create("b"), create("d"), create("a", "root"), create("c", "b")] == [None, "b", None, "b"]
    driver.respond()
    words = [message.parts[0].text for message in driver.requests()[0].messages[1:]]
    assert words == ["a", "b", "c", "d"]


def test_retrieve_and_delete(driver):
    pcm = bytes(9600)
    content = [{"type": "input_audio", "audio": base64.b64encode(pcm).decode()}]
    item = {"type": "message", "id": "mine", "role": "user", "content": content}
    created = driver.send("conversation.item.create", item=item)
    assert "audio" not in created[0]["item"]["content"][0]
    (retrieved,) = driver.send("conversation.item.retrieve", item_id="mine")
    assert base64.b64decode(retrieved["item"]["content"][0]["audio"]) == pcm
    (deleted,) = driver.send("conversation.item.delete", item_id="mine")
    assert (deleted["type"], deleted["item_id"]) == ("conversation.item.deleted", "mine")
    assert any(isinstance(effect, Forget) for effect in driver.effects)
    assert (
        driver.error("conversation.item.retrieve", item_id="mine")["code"] == "item_retrieve_invalid_item_id"
    )


def test_a_long_item_is_retrieved_without_its_sound(driver):
    driver.configure(turn_detection=None)
    driver.append(bytes(48_000 * 16))
    item_id = driver.send("input_audio_buffer.commit")[0]["item_id"]
    (retrieved,) = driver.send("conversation.item.retrieve", item_id=item_id)
    assert retrieved["item"]["content"] == [{"type": "input_audio", "transcript": None}]


def test_what_is_retrieved_stays_under_the_frame_that_clients_take(driver):
    part = {"type": "input_audio", "audio": base64.b64encode(bytes(300_000)).decode()}
    for count, has_sound in [(1, True), (2, True), (3, False)]:
        item = {"type": "message", "id": f"{count}", "role": "user", "content": [part] * count}
        driver.send("conversation.item.create", item=item)
        (retrieved,) = driver.send("conversation.item.retrieve", item_id=f"{count}")
        assert len(orjson.dumps(retrieved)) < 2**20
        assert ["audio" in shown for shown in retrieved["item"]["content"]] == [has_sound] * count


def test_nothing_happens_after_the_end(driver):
    driver.append(bytes(1536 * 10))
    driver.at(9999.0)
    assert driver.send("response.create") == driver.append(bytes(1536)) == driver.hear(0.9, 0.9) == []
    assert driver.session.receive_binary(b"x") == []


def test_a_session_expires(driver):
    response = driver.respond()
    assert driver.at(4599.0) == []
    done, error = driver.at(4600.0)
    assert done["response"]["status"] == "cancelled", "its answer ends too"
    assert error["error"]["code"] == "session_expired"
    assert Cancel(response) in driver.effects
    assert driver.effects[-1] == Close(1001, error["error"]["message"])
    assert driver.at(4700.0) == driver.session.close() == []


def test_a_connection_that_goes_away_takes_its_answer_and_sounds_along(driver):
    driver.configure(turn_detection=None)
    driver.append(bytes(9600))
    driver.send("input_audio_buffer.commit")
    response = driver.respond()
    cancel, forget = driver.session.close()
    assert cancel == Cancel(response)
    assert isinstance(forget, Forget)
    assert len(forget.audio_ids) == 1
    assert driver.session.engine(response, ANSWER[1]) == []


def test_stock_voices_mean_the_default_one_and_installed_ones_themselves():
    for voice, used in [("marin", "ada"), ("bob", "bob"), ({"id": "bob"}, "bob")]:
        driver = Driver()
        (updated,) = driver.send(
            "session.update", session={"type": "realtime", "audio": {"output": {"voice": voice}}}
        )
        echoed = updated["session"]["audio"]["output"]["voice"]
        assert echoed == ("bob" if used == "bob" else voice)
        driver.respond()
        assert driver.requests()[0].voice == used


def test_the_voice_stays_once_it_was_heard(driver):
    update = {"type": "realtime", "audio": {"output": {"voice": "bob"}}}
    driver.engine(driver.respond(), *ANSWER)
    assert driver.error("session.update", session=update)["code"] == "cannot_update_voice"
    for same in ("ada", "marin", "alloy"):
        update["audio"]["output"]["voice"] = same
        assert types(driver.send("session.update", session=update)) == ["session.updated"]


def test_the_voice_may_change_while_only_words_were_written(driver):
    update = {"type": "realtime", "audio": {"output": {"voice": "bob"}}}
    driver.engine(driver.respond(output_modalities=["text"]), *ANSWER)
    assert types(driver.send("session.update", session=update)) == ["session.updated"]


def test_an_answer_of_nothing_has_no_item(driver):
    (done,) = driver.engine(driver.respond(), Finished("completed", USAGE))
    assert (done["response"]["status"], done["response"]["output"]) == ("completed", [])


def test_sound_is_counted_in_frames_however_it_is_cut(driver):
    response = driver.respond()
    driver.engine(response, *[AudioDelta(FRAME[:1280])] * 9)
    usage = driver.send("response.cancel")[-1]["response"]["usage"]
    assert usage["output_token_details"]["audio_tokens"] == 3
