"""Turn detection: positions to the sample, barge-in, and nothing lost between turns."""

import numpy as np
import pytest
from driving import ANSWER, WINDOW, Driver, types

from realtime.session.effects import Cancel, Detect, Forget, ResetDetector, Start

MS = 24
VAD = {"type": "server_vad", "prefix_padding_ms": 0, "silence_duration_ms": 64}
"""Two windows of silence end a turn; `min_speech_ms` asks for two windows of speech to begin one."""


def ramp(windows: int, first: int = 0) -> bytes:
    """Sound in which every sample tells its own position."""
    return (np.arange(first * WINDOW, (first + windows) * WINDOW) % 30_000).astype("<i2").tobytes()


def committed(driver: Driver) -> list[bytes]:
    """The sound of each committed turn, as the engine was shown it last."""
    messages = driver.requests()[-1].messages
    return [part.pcm for message in messages for part in message.parts if hasattr(part, "pcm")]


def turn_events(events):
    return [event for event in types(events) if event.startswith("input_audio_buffer")]


@pytest.fixture
def driver() -> Driver:
    driver = Driver()
    driver.configure(turn_detection=VAD)
    return driver


def test_a_turn_by_voice_activity(driver):
    driver.append(ramp(20))
    (detect,) = [effect for effect in driver.effects if isinstance(effect, Detect)]
    assert detect == Detect(0, ramp(20))
    started = driver.hear(0, 0, 0, 0.9, 0.9)
    assert types(started) == ["input_audio_buffer.speech_started"]
    assert started[0]["audio_start_ms"] == 3 * 32
    stopped = driver.hear(0.9, 0.9, 0.1, 0.1)
    assert types(stopped) == [
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    assert stopped[0]["audio_end_ms"] == 9 * 32
    assert {event["item_id"] for event in (started[0], *stopped[:2])} == {stopped[2]["item"]["id"]}
    assert committed(driver) == [ramp(6, first=3)]


@pytest.mark.parametrize("at_once", [False, True])
def test_the_padding_before_speech_is_kept_but_not_what_was_committed_before(at_once):
    driver = Driver()
    driver.configure(turn_detection=VAD | {"prefix_padding_ms": 96, "create_response": False})
    driver.append(ramp(40))
    first, second = (*[0] * 10, 0.9, 0.9, 0, 0), (0, 0.9, 0.9, 0, 0)
    events = driver.hear(*first, *second) if at_once else [*driver.hear(*first), *driver.hear(*second)]
    starts = [event["audio_start_ms"] for event in events if "audio_start_ms" in event]
    assert starts == [(10 - 3) * 32, 14 * 32], "the second not before the end of the first"
    driver.respond()
    assert committed(driver) == [ramp(7, first=7), ramp(5, first=14)]


def test_several_turns_in_one_append_lose_nothing(driver):
    """One chunk holds the end of a turn, a whole turn and the start of a third."""
    driver.configure(turn_detection=VAD | {"create_response": False})
    driver.append(ramp(40))
    speech = [0.9, 0.9, 0.9, 0, 0] * 3
    events = driver.hear(*speech, 0.9, 0.9, 0.9)
    assert turn_events(events) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
    ] * 3 + ["input_audio_buffer.speech_started"]
    assert turn_events(driver.hear(0, 0)) == [
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
    ]
    driver.respond()
    assert committed(driver) == [ramp(5, first) for first in (0, 5, 10, 15)]


def test_silence_may_end_inside_a_window():
    driver = Driver()
    driver.configure(turn_detection=VAD | {"silence_duration_ms": 50})
    driver.append(ramp(12))
    events = driver.hear(0.9, 0.9, 0.9, 0, 0)
    assert events[1]["audio_end_ms"] == 3 * 32 + 50
    assert committed(driver) == [ramp(12)[: (3 * WINDOW + 50 * MS) * 2]]


def test_hysteresis_and_short_noises(driver):
    driver.append(ramp(30))
    assert driver.hear(0, 0.9, 0, 0.9, 0) == [], "a click is no speech"
    assert turn_events(driver.hear(0.6, 0.6)) == ["input_audio_buffer.speech_started"]
    assert driver.hear(0.4, 0.4, 0.4, 0.1, 0.4, 0.1) == [], "still over the threshold less its hysteresis"
    assert turn_events(driver.hear(0.1))[0] == "input_audio_buffer.speech_stopped"


def test_what_nobody_can_need_any_more_is_dropped(driver):
    limit = 3.0
    driver = Driver(max_buffer_s=limit)
    for index in range(100):
        assert driver.append(ramp(40, index)) == [], "silence never fills the buffer"
        assert driver.hear(*[0.0] * 40) == []


def test_a_buffer_that_nobody_empties_is_refused_by_name():
    driver = Driver(max_buffer_s=1.0)
    driver.configure(turn_detection=None)
    assert driver.append(bytes(48_000)) == []
    (error,) = driver.append(bytes(2))
    assert error["error"]["code"] == "input_audio_buffer_full"
    assert types(driver.send("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"
    assert driver.append(bytes(2)) == []


def test_barge_in(driver):
    response = driver.respond()
    driver.engine(response, *ANSWER[:3])
    driver.append(ramp(20))
    events = driver.hear(0.9, 0.9)
    assert types(events)[0] == "input_audio_buffer.speech_started"
    assert types(events)[-1] == "response.done"
    done = events[-1]["response"]
    assert done["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert Cancel(response) in driver.effects
    assert driver.engine(response, *ANSWER[3:]) == []
    assert types(driver.hear(0, 0))[-1] == "response.created"


def test_barge_in_may_be_switched_off(driver):
    driver.configure(turn_detection={"interrupt_response": False})
    response = driver.respond()
    driver.append(ramp(20))
    events = driver.hear(0.9, 0.9, 0, 0)
    assert "response.done" not in types(events)
    assert "response.created" not in types(events), "the running answer goes on, and no second one begins"
    assert types(driver.engine(response, *ANSWER))[-1] == "response.done"


def test_a_manual_commit_ends_the_turn_that_is_open(driver):
    driver.append(ramp(20))
    (started,) = driver.hear(0, 0, 0.9, 0.9)
    events = driver.send("input_audio_buffer.commit")
    assert turn_events(events) == ["input_audio_buffer.speech_stopped", "input_audio_buffer.committed"]
    assert events[0]["audio_end_ms"] == 20 * 32
    assert {event["item_id"] for event in events[:2]} == {started["item_id"]}
    assert "response.created" not in types(events), "a commit never asks for an answer"
    assert driver.hear(*[0.9] * 14, 0, 0) == [], "windows before the commit start nothing"
    driver.respond()
    assert committed(driver) == [ramp(18, first=2)]
    driver.append(ramp(4, 20))
    assert turn_events(driver.hear(0.9, 0.9)) == ["input_audio_buffer.speech_started"]


def test_clear_forgets_the_turn_and_what_the_detector_still_hears(driver):
    driver.append(ramp(20))
    driver.hear(0.9, 0.9)
    assert types(driver.send("input_audio_buffer.clear")) == ["input_audio_buffer.cleared"]
    assert driver.effects[-1] == ResetDetector(1)
    assert driver.hear(0.9, 0.9, epoch=0) == [], "windows of the old epoch"
    driver.append(ramp(10, 20))
    (started,) = driver.hear(0.9, 0.9, epoch=1)
    assert started["audio_start_ms"] == 20 * 32


def test_switching_detection_off_and_on_keeps_the_sound(driver):
    driver.append(ramp(5))
    driver.hear(0.9, 0.9, 0.9)
    driver.configure(turn_detection=None)
    assert driver.hear(0.9, 0.9) == []
    before = len(driver.effects)
    driver.append(ramp(5, 5))
    assert not any(isinstance(effect, Detect) for effect in driver.effects[before:])
    assert types(driver.send("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"
    driver.configure(turn_detection=VAD)
    (reset,) = [effect for effect in driver.effects[before:] if isinstance(effect, ResetDetector)]
    driver.append(ramp(5, 10))
    (started,) = driver.hear(0.9, 0.9, epoch=reset.epoch)
    assert started["audio_start_ms"] == 10 * 32
    driver.respond()
    assert committed(driver) == [ramp(10)]


def test_what_is_buffered_when_detection_is_switched_on_is_listened_to():
    driver = Driver()
    driver.configure(turn_detection=None)
    driver.append(ramp(12))
    before = len(driver.effects)
    driver.configure(turn_detection=VAD)
    reset, forgotten, detect = driver.effects[before + 1 :]
    assert isinstance(forgotten, Forget), "what the engine has heard of it was no turn"
    assert isinstance(reset, ResetDetector)
    assert detect == Detect(reset.epoch, ramp(12))
    events = driver.hear(0, 0.9, 0.9, 0.9, 0, 0, epoch=reset.epoch)
    assert events[0]["audio_start_ms"] == 32
    assert committed(driver) == [ramp(5, first=1)]


def test_other_thresholds_hold_at_once_and_leave_the_open_turn_open(driver):
    driver.append(ramp(20))
    (started,) = driver.hear(0.9, 0.9, 0.9, 0)
    driver.configure(turn_detection={"silence_duration_ms": 96})
    assert driver.hear(0) == [], "the silence that was there counts, but is not long enough now"
    (stopped, *_) = driver.hear(0)
    assert (stopped["item_id"], stopped["audio_end_ms"]) == (started["item_id"], 6 * 32)
    assert committed(driver) == [ramp(6)]


def test_more_padding_reaches_no_further_back_than_there_is_sound(driver):
    driver.append(ramp(40))
    driver.hear(*[0] * 20)
    driver.configure(turn_detection={"prefix_padding_ms": 320})
    started, stopped, *_ = driver.hear(0.9, 0.9, 0, 0)
    assert started["audio_start_ms"] == 20 * 32, "what was before was dropped as silence"
    assert committed(driver) == [ramp(4, first=20)]
    assert stopped["audio_end_ms"] - started["audio_start_ms"] == 4 * 32


def test_the_id_of_a_turn_that_is_spoken_is_taken(driver):
    driver.append(ramp(20))
    (started,) = driver.hear(0.9, 0.9)
    content = [{"type": "input_text", "text": "Mine!"}]
    item = {"type": "message", "id": started["item_id"], "role": "user", "content": content}
    assert driver.error("conversation.item.create", item=item)["code"] == "item_create_duplicate_item_id"
    assert driver.hear(0, 0)[1]["item_id"] == started["item_id"]


@pytest.mark.parametrize("kind", ["commit", "clear"])
def test_half_a_sample_does_not_outlive_a_commit_or_a_clear(driver, kind):
    driver.configure(turn_detection=None)
    driver.append(ramp(10) + b"\x7f")
    driver.send(f"input_audio_buffer.{kind}")
    driver.append(ramp(10))
    driver.send("input_audio_buffer.commit")
    driver.respond()
    assert committed(driver)[-1] == ramp(10)


def test_half_a_sample_does_outlive_a_turn(driver):
    sound = ramp(20)
    driver.append(sound[: 10 * WINDOW * 2 - 1])
    driver.hear(0.9, 0.9, 0, 0, 0.9, 0.9)
    driver.append(sound[10 * WINDOW * 2 - 1 :])
    driver.hear(*[0.9] * 12, 0, 0)
    assert b"".join(committed(driver)) == sound


@pytest.mark.parametrize(("min_speech_ms", "windows"), [(0, 1), (32, 1), (33, 2), (64, 2), (100, 4)])
def test_speech_has_to_last(min_speech_ms, windows):
    driver = Driver(min_speech_ms=min_speech_ms)
    driver.append(ramp(20))
    assert driver.hear(*[0.9] * (windows - 1)) == []
    assert turn_events(driver.hear(0.9)) == ["input_audio_buffer.speech_started"]


def test_a_sample_may_be_cut_in_two_by_appends(driver):
    driver.configure(turn_detection=None)
    sound = ramp(6)
    for piece in (sound[:1], sound[1:4], sound[4:5001], sound[5001:]):
        driver.append(piece)
    driver.send("input_audio_buffer.commit")
    driver.respond()
    assert committed(driver) == [sound]


def test_a_detector_that_fails_is_told_and_the_session_lives_on(driver):
    driver.append(ramp(10))
    driver.hear(0.9, 0.9)
    (error,) = driver.do(driver.session.detector_failed("It broke."))
    assert (error["error"]["type"], error["error"]["code"]) == ("server_error", "turn_detection_failed")
    assert types(driver.send("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"


def test_no_response_is_made_where_the_session_says_so(driver):
    driver.configure(turn_detection={"create_response": False})
    driver.append(ramp(10))
    driver.hear(0.9, 0.9, 0, 0)
    assert not any(isinstance(effect, Start) for effect in driver.effects)
