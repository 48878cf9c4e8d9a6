"""The idle timeout: after an answer was heard, silence for long is a turn of its own."""

import pytest
from driving import ANSWER, FRAME, USAGE, WINDOW, Driver, types

from engine import AudioDelta, Finished, TextDelta

TIMEOUT = [
    "input_audio_buffer.timeout_triggered",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
]


@pytest.fixture
def driver():
    driver = Driver()
    driver.configure(turn_detection={"type": "server_vad", "idle_timeout_ms": 6000})
    return driver


def answer(driver, frames=25):
    """Two seconds of sound, made at once."""
    driver.engine(
        driver.respond(), TextDelta("Hi"), *[AudioDelta(FRAME)] * frames, Finished("completed", USAGE)
    )


def test_it_comes_once_after_what_was_answered_has_been_heard(driver):
    driver.append(bytes(2 * WINDOW * 10))
    driver.hear(*[0.0] * 10)
    answer(driver)
    assert driver.at(1000 + 7.9) == []
    events = driver.at(1000 + 8.1)
    assert types(events) == TIMEOUT
    assert len({event["item_id"] for event in events[:2]} | {events[2]["item"]["id"]}) == 1
    assert events[0]["audio_start_ms"] <= events[0]["audio_end_ms"] == 320
    (sound,) = driver.requests()[-1].messages[-1].parts
    assert set(sound.pcm) == {0}
    assert driver.at(2000) == [], "the answer to it has not been given"


def test_it_comes_without_any_sound_too(driver):
    answer(driver)
    assert types(driver.at(1100)) == TIMEOUT
    (sound,) = driver.requests()[-1].messages[-1].parts
    assert len(sound.pcm) == 4800


def test_it_is_not_armed_before_the_first_answer(driver):
    driver.append(bytes(2 * WINDOW * 10))
    assert driver.at(1500) == []


@pytest.mark.parametrize("stir", ["speech", "commit", "response"])
def test_whoever_stirs_is_not_idle(driver, stir):
    answer(driver)
    driver.append(bytes(2 * WINDOW * 10))
    if stir == "speech":
        driver.hear(0.9, 0.9)
    elif stir == "commit":
        driver.send("input_audio_buffer.commit")
    else:
        driver.respond()
    assert driver.at(1100) == []


def test_a_cancelled_answer_is_waited_after_by_nobody(driver):
    driver.engine(driver.respond(), *ANSWER[:3])
    driver.send("response.cancel")
    assert driver.at(1100) == []


@pytest.mark.parametrize("turn_detection", [None, {"type": "semantic_vad"}, {"idle_timeout_ms": None}])
def test_it_can_be_switched_off(driver, turn_detection):
    answer(driver)
    driver.configure(turn_detection=turn_detection)
    assert driver.at(1100) == []


def test_a_response_beside_the_conversation_lets_the_user_be_idle(driver):
    answer(driver)
    beside = driver.respond(conversation="none", output_modalities=["text"])
    driver.engine(beside, TextDelta("Small talk."), Finished("completed", USAGE))
    assert types(driver.at(1100)) == TIMEOUT
