"""What a session keeps, and for how long: sound of a long conversation, and a client that says nothing."""

import base64

from driving import ANSWER, FRAME, Driver, types

from engine import Audio, Text
from realtime.session.effects import Close, Forget

SECOND = bytes(48_000)


def spoken(driver: Driver, pcm: bytes, transcript: str | None = None):
    part = {"type": "input_audio", "audio": base64.b64encode(pcm).decode()}
    part |= {"transcript": transcript} if transcript else {}
    item = {"type": "message", "role": "user", "content": [part]}
    (added, done) = driver.send("conversation.item.create", item=item)
    assert (added["type"], done["type"]) == ("conversation.item.added", "conversation.item.done")
    return added["item"]["id"]


def shown(driver: Driver):
    """The parts that the model is shown of a conversation, once it is asked for an answer."""
    driver.respond()
    return [part for message in driver.requests()[-1].messages for part in message.parts]


def test_the_oldest_sound_is_let_go_and_its_transcript_stays():
    driver = Driver(max_audio_s=2.0)
    first = spoken(driver, SECOND, "one")
    second = spoken(driver, SECOND)
    third = spoken(driver, SECOND)
    (forgotten,) = [effect for effect in driver.effects if isinstance(effect, Forget)]
    assert len(forgotten.audio_ids) == 1
    assert "audio" not in driver.send("conversation.item.retrieve", item_id=first)[0]["item"]["content"][0]
    for kept in (second, third):
        (event,) = driver.send("conversation.item.retrieve", item_id=kept)
        assert base64.b64decode(event["item"]["content"][0]["audio"]) == SECOND
    _, one, *sounds = shown(driver)
    assert one == Text("one")
    assert [type(part) for part in sounds] == [Audio, Audio]


def test_sound_without_a_transcript_is_not_shown_once_it_is_let_go():
    driver = Driver(max_audio_s=1.5)
    spoken(driver, SECOND)
    spoken(driver, SECOND)
    assert [type(part) for part in shown(driver)] == [Text, Audio], "instructions, and the newest"


def test_the_newest_is_kept_even_if_it_alone_is_too_much():
    driver = Driver(max_audio_s=0.5)
    newest = spoken(driver, SECOND)
    (event,) = driver.send("conversation.item.retrieve", item_id=newest)
    assert base64.b64decode(event["item"]["content"][0]["audio"]) == SECOND


def test_answers_are_counted_and_let_go_too_and_their_words_stay():
    driver = Driver(max_audio_s=0.1)
    driver.engine(driver.respond(), *ANSWER)
    answer = driver.events[-1]["response"]["output"][0]["id"]
    spoken(driver, FRAME)
    (event,) = driver.send("conversation.item.retrieve", item_id=answer)
    assert event["item"]["content"] == [{"type": "output_audio", "transcript": "Hello there, you."}]
    assert Text("Hello there, you.") in shown(driver)


def test_an_item_of_g711_is_as_long_as_one_of_pcm_may_be():
    driver = Driver(max_buffer_s=1.0)
    driver.configure(format={"type": "audio/pcmu"})
    spoken(driver, bytes(8_000))
    part = {"type": "input_audio", "audio": base64.b64encode(bytes(8_100)).decode()}
    item = {"type": "message", "role": "user", "content": [part]}
    assert driver.error("conversation.item.create", item=item)["code"] == "invalid_value"


def test_a_client_that_says_nothing_is_closed_by_name():
    driver = Driver(max_idle_s=60.0)
    start = driver.now
    assert driver.at(start + 59.0) == []
    driver.say("Hi")
    assert driver.at(start + 118.0) == []
    (error,) = driver.at(start + 119.0)
    assert error["error"]["code"] == "session_idle"
    (close,) = [effect for effect in driver.effects if isinstance(effect, Close)]
    assert (close.code, "60 seconds" in close.reason) == (1001, True)


def test_who_is_answered_is_not_idle():
    driver = Driver(max_idle_s=60.0)
    response = driver.respond()
    assert driver.at(driver.now + 100.0) == []
    assert types(driver.engine(response, *ANSWER))[-1] == "response.done"
    assert driver.at(driver.now + 59.0) == []
    assert types(driver.at(driver.now + 60.0)) == ["error"]


def test_sound_beside_the_events_is_a_sign_of_life():
    driver = Driver(max_idle_s=60.0, server_plays=True)
    driver.now += 59.0
    driver.do(driver.session.append_sound(SECOND))
    assert driver.at(driver.now + 59.0) == []
