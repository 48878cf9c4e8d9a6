"""Responses beside the conversation: their own input, their own end, nothing of them in the history."""

import base64

from driving import ANSWER, FRAME, USAGE, types

from engine import AudioDelta, Finished, Message, Started, Text, TextDelta, Usage
from realtime.session.effects import Cancel, Forget

NONE = {"conversation": "none", "output_modalities": ["text"], "metadata": {"topic": "x"}}
DONE = Finished("completed", USAGE)


def words(text, role="user"):
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def test_nothing_of_it_enters_the_conversation(driver):
    driver.say("Hi")
    response = driver.respond(**NONE)
    events = driver.engine(response, TextDelta("a greeting"), DONE)
    assert not [event for event in types(events) if event.startswith("conversation.")]
    done = events[-1]["response"]
    assert (done["conversation_id"], done["metadata"]) == (None, {"topic": "x"})
    assert done["output"][0]["content"][0]["text"] == "a greeting"
    driver.respond()
    assert [message.role for message in driver.requests()[-1].messages] == ["system", "user"]


def test_it_runs_beside_the_default_response(driver):
    default = driver.respond()
    beside = [driver.respond(**NONE) for _ in range(2)]
    driver.engine(default, ANSWER[1])
    assert types(driver.engine(beside[0], TextDelta("a"), DONE))[-1] == "response.done"
    assert driver.error("response.create")["code"] == "conversation_already_has_active_response"
    (done,) = driver.send("response.cancel", response_id=beside[1])
    assert (done["response"]["id"], done["response"]["status"]) == (beside[1], "cancelled")
    assert Cancel(beside[1]) in driver.effects
    assert driver.engine(beside[1], TextDelta("late"), DONE) == []
    assert types(driver.engine(default, *ANSWER[2:]))[-1] == "response.done"


def test_a_cancel_without_an_id_means_the_default_one(driver):
    driver.respond(**NONE)
    assert driver.error("response.cancel")["code"] == "response_cancel_not_active"
    default = driver.respond()
    (done,) = driver.send("response.cancel")
    assert done["response"]["id"] == default


def test_speech_does_not_interrupt_it(driver):
    default, beside = driver.respond(), driver.respond(**NONE)
    driver.append(bytes(1536 * 4))
    events = driver.hear(0.9, 0.9)
    assert [event["response"]["id"] for event in events if event["type"] == "response.done"] == [default]
    assert types(driver.engine(beside, TextDelta("a"), DONE))[-1] == "response.done"


def test_its_own_input_is_all_that_the_model_is_shown(driver):
    driver.say("Hi")
    item_id = driver.events[-1]["item"]["id"]
    given = [{"type": "item_reference", "id": item_id}, words("Well?", "assistant"), words("Sum it up.")]
    driver.respond(**NONE, input=given, instructions="Be brief.")
    assert driver.requests()[-1].messages == (
        Message("system", (Text("Be brief."),)),
        Message("user", (Text("Hi"),)),
        Message("assistant", (Text("Well?"),)),
        Message("user", (Text("Sum it up."),)),
    )
    driver.respond(**NONE, input=[])
    assert [message.role for message in driver.requests()[-1].messages] == ["system"]


def test_sound_in_its_input_is_forgotten_with_it(driver):
    sound = {"type": "input_audio", "audio": base64.b64encode(FRAME).decode()}
    given = [{"type": "message", "role": "user", "content": [sound]}]
    response = driver.respond(**NONE, input=given)
    (audio,) = driver.requests()[-1].messages[-1].parts
    assert audio.pcm == FRAME
    driver.engine(response, DONE)
    assert driver.effects[-1] == Forget((audio.id,))


def test_input_may_also_replace_the_context_of_an_answer_in_the_conversation(driver):
    driver.say("Hi")
    response = driver.respond(input=[words("Only this.")])
    assert len(driver.requests()[-1].messages) == 2
    assert "conversation.item.added" in types(driver.engine(response, *ANSWER))
    driver.respond()
    assert [message.role for message in driver.requests()[-1].messages] == ["system", "user", "assistant"]


def test_its_sound_counts_for_no_playback(driver):
    response = driver.respond(conversation="none")
    driver.engine(response, AudioDelta(FRAME), DONE)
    assert driver.session._responses.heard_at == 0.0


def test_there_is_a_limit(driver):
    for _ in range(driver.config.max_responses):
        driver.respond(**NONE)
    assert driver.error("response.create", response=NONE)["code"] == "too_many_responses"


def test_what_was_left_out_of_the_context_stays_out(driver):
    for text in ("one", "two", "three"):
        driver.say(text)
    first = driver.events[1]["item"]["id"]
    response = driver.respond()
    driver.engine(response, Started(Usage(), left_out=2), TextDelta("Yes."), DONE)
    driver.respond()
    texts = [message.parts[0].text for message in driver.requests()[-1].messages[1:]]
    assert texts == ["three", "Yes."]
    assert driver.send("conversation.item.retrieve", item_id=first)[0]["item"]["id"] == first
