"""Turns that end where what was said is complete, pauses that nobody can judge, and back-channels."""

import pytest
from driving import ANSWER, FRAME, WINDOW, Driver, types

from engine import AudioDelta
from realtime.session.effects import Judge

SPEECH, SILENCE = [0.9] * 6, [0.0] * 7
"""Seven windows of silence: 224 ms, a pause."""
TURN = [
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
]


def semantic(**fields):
    driver = Driver()
    driver.configure(turn_detection={"type": "semantic_vad", **fields})
    driver.append(bytes(2 * WINDOW * 600))
    return driver


def pauses(driver):
    return [effect for effect in driver.effects if isinstance(effect, Judge)]


def judge(driver, probability, which=-1):
    return driver.do(driver.session.judged(pauses(driver)[which].pause, probability))


def test_a_pause_is_judged_and_a_complete_turn_ends():
    driver = semantic()
    assert types(driver.hear(*SPEECH)) == ["input_audio_buffer.speech_started"]
    assert driver.hear(*SILENCE[:-1]) == []
    assert not pauses(driver)
    driver.hear(0.0)
    (pause,) = pauses(driver)
    assert len(pause.pcm) == 2 * WINDOW * 13, "the turn so far, its padding from the very beginning"
    events = judge(driver, 0.8)
    assert types(events) == TURN
    assert events[0]["audio_end_ms"] == 13 * 32
    assert len(driver.requests()[-1].messages[-1].parts[0].pcm) == 2 * WINDOW * 13
    assert judge(driver, 0.8) == [], "a pause is judged once"


def test_a_turn_that_goes_on_is_not_ended_by_a_late_judgement():
    driver = semantic()
    driver.hear(*SPEECH, *SILENCE, 0.9)
    assert judge(driver, 0.99) == []
    driver.hear(*SPEECH, *SILENCE)
    assert len(pauses(driver)) == 2
    assert judge(driver, 0.99, which=0) == [], "that was about another pause"
    assert types(judge(driver, 0.99)) == TURN


@pytest.mark.parametrize(("eagerness", "seconds"), [("low", 8), ("medium", 4), ("auto", 4), ("high", 2)])
def test_an_incomplete_turn_is_waited_for(eagerness, seconds):
    driver = semantic(eagerness=eagerness)
    driver.hear(*SPEECH, *SILENCE)
    assert judge(driver, 0.1) == []
    windows = seconds * 1000 // 32 - 1 - len(SILENCE)
    assert driver.hear(*[0.0] * windows) == []
    events = driver.hear(0.0, 0.0)
    assert types(events) == TURN
    assert events[0]["audio_end_ms"] == 6 * 32 + seconds * 1000


@pytest.mark.parametrize(("eagerness", "ends"), [("low", False), ("medium", False), ("high", True)])
def test_eagerness_says_how_sure_the_judge_has_to_be(eagerness, ends):
    driver = semantic(eagerness=eagerness)
    driver.hear(*SPEECH, *SILENCE)
    assert (types(judge(driver, 0.4)) == TURN) is ends


def test_where_nobody_can_judge_silence_does():
    driver = semantic()
    driver.hear(*SPEECH, *SILENCE)
    assert judge(driver, None) == []
    assert driver.hear(*[0.0] * (800 // 32 - len(SILENCE) - 1)) == []
    assert types(driver.hear(0.0)) == TURN
    driver.session.engine(driver.requests()[-1].id, ANSWER[-1])
    driver.hear(*SPEECH, *SILENCE)
    assert driver.hear(*[0.0] * 30) == [], "each turn has its own judgement"


def test_the_kind_of_detection_changes_in_the_middle_of_a_turn():
    driver = semantic()
    driver.hear(*SPEECH, *SILENCE)
    driver.configure(turn_detection={"type": "server_vad", "silence_duration_ms": 320})
    assert judge(driver, 0.99) == []
    assert types(driver.hear(0.0, 0.0, 0.0)) == TURN
    (updated,) = driver.configure(turn_detection={"type": "semantic_vad"})
    shown = updated["session"]["audio"]["input"]["turn_detection"]
    assert shown == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    }


def test_no_judgement_reaches_a_closed_session():
    driver = semantic()
    driver.hear(*SPEECH, *SILENCE)
    driver.session.close()
    assert judge(driver, 0.99) == []


# Back-channels.


def answering(**vad):
    """A session in which an answer is spoken."""
    driver = Driver()
    vad = {"type": "server_vad", "silence_duration_ms": 64, "prefix_padding_ms": 0, **vad}
    driver.configure(turn_detection=vad)
    driver.append(bytes(2 * WINDOW * 600))
    response = driver.respond()
    driver.engine(response, *ANSWER[:3])
    return driver, response


def test_a_back_channel_does_not_stop_an_answer():
    driver, response = answering(interrupt_after_ms=500)
    assert driver.hear(*[0.9] * 10, 0.0, 0.0, 0.0, 0.0) == [], "no turn at all"
    assert types(driver.engine(response, *ANSWER[3:]))[-1] == "response.done"


def test_speech_that_lasts_stops_an_answer_and_is_heard_from_its_beginning():
    driver, _ = answering(interrupt_after_ms=500)
    driver.hear(0.0, 0.0)
    events = driver.hear(*[0.9] * 16)
    assert types(events)[0] == "input_audio_buffer.speech_started"
    assert events[0]["audio_start_ms"] == 2 * 32
    assert events[-1]["response"]["status_details"]["reason"] == "turn_detected"


def test_speech_weakens_for_a_moment_without_becoming_a_back_channel():
    driver, _ = answering(interrupt_after_ms=500)
    assert types(driver.hear(*[0.9] * 8, 0.4, *[0.9] * 8))[0] == "input_audio_buffer.speech_started"


def test_what_is_made_but_still_played_is_an_answer_too():
    driver, response = answering(interrupt_after_ms=500)
    driver.engine(response, *[AudioDelta(FRAME)] * 50, ANSWER[-1])
    assert driver.hear(*[0.9] * 10, 0.0) == []
    driver.now += 5
    assert types(driver.hear(0.9, 0.9)) == ["input_audio_buffer.speech_started"], "now nothing is played"


def test_once_the_client_has_stopped_playing_everything_is_speech():
    driver, response = answering(interrupt_after_ms=500)
    driver.engine(response, *[AudioDelta(FRAME)] * 50, ANSWER[-1])
    item = driver.events[-1]["response"]["output"][0]["id"]
    driver.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=100)
    assert types(driver.hear(0.9, 0.9)) == ["input_audio_buffer.speech_started"]


def test_the_setting_is_shown_only_where_it_is_set():
    driver = Driver()
    assert "interrupt_after_ms" not in driver.events[0]["session"]["audio"]["input"]["turn_detection"]
    (updated,) = driver.configure(turn_detection={"type": "semantic_vad", "interrupt_after_ms": 400})
    assert updated["session"]["audio"]["input"]["turn_detection"]["interrupt_after_ms"] == 400
    (updated,) = driver.configure(turn_detection={"interrupt_after_ms": None})
    assert "interrupt_after_ms" not in updated["session"]["audio"]["input"]["turn_detection"]
