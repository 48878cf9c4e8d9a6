"""What the engine hears before a turn is over: all of it in order, and nothing that is not part of it."""

import pytest
from driving import WINDOW, Driver
from test_turns import VAD, ramp

from realtime.session.effects import Forget, Listen, Start

MANUAL = {"turn_detection": None}


def heard(driver: Driver) -> dict[str, bytes]:
    """What the engine was given of each sound."""
    sounds: dict[str, bytes] = {}
    for effect in driver.effects:
        if isinstance(effect, Listen):
            first = effect.audio.id not in sounds
            assert (effect.before is not None) == first
            sounds[effect.audio.id] = sounds.get(effect.audio.id, b"") + effect.audio.pcm
    return sounds


def forgotten(driver: Driver) -> list[str]:
    return [name for effect in driver.effects if isinstance(effect, Forget) for name in effect.audio_ids]


def asked(driver: Driver):
    """The last sound of the last request."""
    (*_, request) = [effect.request for effect in driver.effects if isinstance(effect, Start)]
    return list(request.sounds())[-1]


@pytest.fixture
def speaking() -> Driver:
    """20 windows of an open turn that began with the third."""
    driver = Driver()
    driver.configure(turn_detection=VAD)
    driver.append(ramp(40))
    driver.hear(0, 0, *[0.9] * 18)
    return driver


def test_a_turn_is_heard_from_its_beginning_up_to_what_is_surely_part_of_it(speaking):
    ((name, sound),) = heard(speaking).items()
    assert sound == ramp(18, first=2)
    speaking.hear(*[0.9] * 10)
    speaking.hear(0.1, 0.1)
    turn = asked(speaking)
    assert turn.id == name
    assert turn.pcm.startswith(heard(speaking)[name])
    assert len(heard(speaking)[name]) == 2 * 28 * WINDOW
    assert not forgotten(speaking)


def test_little_pieces_wait_until_they_are_worth_a_message(speaking):
    before = len(heard(speaking).popitem()[1])
    for _ in range(6):
        speaking.hear(0.9)
    assert len(heard(speaking).popitem()[1]) == before, "192 ms"
    speaking.hear(0.9)
    assert len(heard(speaking).popitem()[1]) == before + 2 * 7 * WINDOW


def test_the_request_to_come_is_told_with_the_first_piece():
    driver = Driver()
    driver.configure(**MANUAL)
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    driver.send("conversation.item.create", item=item)
    driver.append(ramp(10))
    driver.send("input_audio_buffer.commit")
    driver.send("response.create")
    (listen,) = [effect for effect in driver.effects if isinstance(effect, Listen)]
    (start,) = [effect for effect in driver.effects if isinstance(effect, Start)]
    assert listen.before.messages == start.request.messages[:-1]
    assert listen.before.voice == start.request.voice
    assert asked(driver).id == listen.audio.id


def test_without_turn_detection_all_that_is_appended_is_heard():
    driver = Driver()
    driver.configure(**MANUAL)
    for index in range(10):
        driver.append(ramp(4, first=4 * index))
    ((name, sound),) = heard(driver).items()
    assert ramp(40).startswith(sound)
    assert len(sound) >= 2 * 32 * WINDOW
    driver.send("input_audio_buffer.commit")
    driver.append(ramp(10, first=40))
    first, second = heard(driver).items()
    assert first == (name, sound)
    assert second[1] == ramp(10, first=40)


@pytest.mark.parametrize("way", ["clear", "off", "failed", "close"])
def test_a_turn_that_is_given_up_is_forgotten(speaking, way):
    (name,) = heard(speaking)
    if way == "clear":
        speaking.send("input_audio_buffer.clear")
    elif way == "off":
        speaking.configure(**MANUAL)
    elif way == "failed":
        speaking.do(speaking.session.detector_failed("gone"))
    else:
        speaking.do(speaking.session.close())
    assert forgotten(speaking) == [name]


def test_a_turn_that_finds_no_room_is_forgotten():
    driver = Driver(max_items=1)
    driver.configure(turn_detection=VAD)
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
    driver.send("conversation.item.create", item=item)
    driver.append(ramp(40))
    driver.hear(*[0.9] * 18, 0.1, 0.1)
    driver.append(ramp(40))
    driver.hear(*[0.9] * 9)
    driver.hear(*[0.9] * 9, 0.1, 0.1)
    assert forgotten(driver) == list(heard(driver))
    assert "error" in [event["type"] for event in driver.events]


def test_silence_is_not_heard():
    driver = Driver()
    driver.configure(turn_detection=VAD)
    driver.append(ramp(40))
    driver.hear(*[0.1] * 40)
    assert not heard(driver)


def test_a_session_that_only_transcribes_hears_nothing_ahead():
    driver = Driver(type="transcription")
    driver.append(ramp(40))
    driver.hear(*[0.9] * 20)
    assert not heard(driver)
