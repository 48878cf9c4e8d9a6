"""An answer begun in a silence: not shown before the turn is over, thrown away if speech goes on."""

import pytest
from driving import ANSWER, FRAME, Driver, types
from test_turns import ramp

from engine import AudioDelta, Finished, Started, TextDelta, Usage
from realtime.session.effects import Cancel, Forget, Listen, Start

VAD = {"type": "server_vad", "prefix_padding_ms": 0, "silence_duration_ms": 320}
"""Ten windows of silence end a turn; an answer is begun after five."""


def speaking(mode: str = "on", **vad) -> Driver:
    """20 windows of an open turn that began with the third."""
    driver = Driver(early_answers=mode)
    driver.configure(turn_detection=VAD | vad)
    driver.append(ramp(60))
    driver.hear(0, 0, *[0.9] * 18)
    return driver


def silent(mode: str = "on", **vad) -> Driver:
    """The same, and 5 windows of silence after it."""
    driver = speaking(mode, **vad)
    assert driver.hear(*[0.1] * 5) == []
    return driver


def cancelled(driver: Driver) -> list[str]:
    return [effect.request_id for effect in driver.effects if isinstance(effect, Cancel)]


def test_it_is_begun_when_silence_begins_with_all_that_was_heard_till_then():
    driver = silent()
    (request,) = driver.requests()
    (sound,) = request.sounds()
    assert not sound.whole
    assert sound.pcm == ramp(23, first=2)
    told = [effect.audio for effect in driver.effects if isinstance(effect, Listen)]
    assert {audio.id for audio in told} == {sound.id}
    assert b"".join(audio.pcm for audio in told) == sound.pcm
    # The engine is told of the sound before it is asked about it.
    assert isinstance(driver.effects[-1], Start)
    assert not request.only_if_room


def test_what_is_listened_to_far_too_late_is_not_answered_early():
    driver = Driver(early_answers="on")
    driver.configure(turn_detection=VAD | {"silence_duration_ms": 1_600})
    driver.append(ramp(80))
    driver.hear(0, 0, *[0.9] * 18)
    driver.hear(*[0.1] * 12)
    assert driver.requests() == []
    driver.hear(*[0.1] * 2)
    assert len(driver.requests()) == 1


def test_what_it_did_is_shown_when_the_turn_is_over_and_goes_on_from_there():
    driver = silent()
    (request,) = driver.requests()
    assert driver.engine(request.id, Started(Usage(7, 25)), TextDelta("Hel"), AudioDelta(FRAME)) == []
    shown = driver.hear(*[0.1] * 5)
    assert types(shown) == [
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
    ]
    assert shown[4]["response"]["id"] == request.id
    assert len(driver.requests()) == 1
    rest = driver.engine(
        request.id, TextDelta("lo"), AudioDelta(FRAME), Finished("completed", Usage(7, 25, 0, 0, 2, 2))
    )
    assert rest[-1]["type"] == "response.done"
    assert rest[-1]["response"]["output"][0]["content"][0]["transcript"] == "Hello"
    assert rest[-1]["response"]["usage"]["output_tokens"] == 4
    assert not cancelled(driver)
    assert not any(isinstance(effect, Forget) for effect in driver.effects)


def test_one_that_was_whole_before_the_turn_was_over():
    driver = silent()
    driver.engine(driver.requests()[0].id, *ANSWER)
    shown = driver.hear(*[0.1] * 5)
    assert types(shown)[-1] == "response.done"
    assert shown[-1]["response"]["status"] == "completed"
    assert len(driver.requests()) == 1


def test_speech_that_goes_on_throws_it_away_and_the_next_silence_begins_another():
    driver = silent()
    (first,) = driver.requests()
    driver.engine(first.id, Started(Usage(7, 25)), TextDelta("Hel"), AudioDelta(FRAME))
    assert driver.hear(0.9) == []
    assert cancelled(driver) == [first.id]
    assert driver.engine(first.id, TextDelta("lo"), Finished("cancelled")) == []
    assert driver.hear(*[0.1] * 5) == []
    (_, second) = driver.requests()
    assert next(iter(second.sounds())).pcm == ramp(29, first=2)
    driver.engine(second.id, Started(Usage(7, 25)))
    driver.hear(*[0.1] * 5)
    assert len(driver.requests()) == 2
    assert cancelled(driver) == [first.id]


@pytest.mark.parametrize("reason", ["failed", "cancelled"])
def test_one_that_came_to_nothing_is_asked_for_anew(reason):
    driver = silent()
    (early,) = driver.requests()
    driver.engine(early.id, Finished(reason, code="no_room", message="full"))
    driver.hear(*[0.1] * 2)
    assert len(driver.requests()) == 1, "not again in the same silence"
    shown = driver.hear(*[0.1] * 3)
    (_, request) = driver.requests()
    assert shown[-1]["response"]["id"] == request.id
    assert all(sound.whole for sound in request.sounds())


def test_one_that_the_engine_has_not_begun_may_be_refused_and_is_asked_for_anew():
    driver = silent("auto")
    shown = driver.hear(*[0.1] * 5)
    early, request = driver.requests()
    assert shown[-1]["response"]["id"] == request.id
    assert not request.only_if_room
    assert cancelled(driver) == [early.id]
    assert driver.engine(early.id, Finished("failed", code="no_room")) == []


def test_another_conversation_or_other_settings_make_it_worthless():
    for change in (
        lambda driver: driver.say("One more thing."),
        lambda driver: driver.send(
            "session.update", session={"type": "realtime", "instructions": "Be rude."}
        ),
    ):
        driver = silent()
        (early,) = driver.requests()
        driver.engine(early.id, *ANSWER)
        change(driver)
        shown = driver.hear(*[0.1] * 5)
        (_, request) = driver.requests()
        assert types(shown)[-1] == "response.created"
        assert shown[-1]["response"]["id"] == request.id
        assert cancelled(driver) == [early.id]


@pytest.mark.parametrize(
    "end",
    [
        lambda driver: driver.send("input_audio_buffer.clear"),
        lambda driver: driver.send("input_audio_buffer.commit"),
        lambda driver: driver.configure(turn_detection=None),
        lambda driver: driver.do(driver.session.detector_failed("It broke.")),
        lambda driver: driver.do(driver.session.close()),
    ],
)
def test_whatever_else_ends_the_turn_throws_it_away(end):
    driver = silent()
    (early,) = driver.requests()
    end(driver)
    assert cancelled(driver) == [early.id]
    assert driver.engine(early.id, *ANSWER) == []


def test_nothing_is_begun_where_nobody_would_be_answered():
    for driver in (silent("off"), silent(create_response=False)):
        assert not driver.requests()
    full = Driver(early_answers="on", max_items=1)
    full.configure(turn_detection=VAD)
    full.say("Hello")
    full.append(ramp(60))
    full.hear(*[0.9] * 18, *[0.1] * 5)
    assert not full.requests()
    driver = speaking(interrupt_response=False)
    driver.respond()
    driver.hear(*[0.1] * 5)
    assert len(driver.requests()) == 1, "an answer is being given"


def test_it_may_be_left_to_the_engine():
    driver = silent("auto")
    assert driver.requests()[0].only_if_room
    driver.engine(driver.requests()[0].id, Started(Usage(7, 25)))
    shown = driver.hear(*[0.1] * 5)
    assert shown[-1]["response"]["id"] == driver.requests()[0].id
    assert len(driver.requests()) == 1


def test_windows_of_an_old_epoch_begin_none():
    """An answer ends in a silence: the next is begun by what is heard now, not by what comes late."""
    driver = speaking(interrupt_response=False)
    response = driver.respond()
    assert driver.hear(*[0.1] * 5) == []
    driver.engine(response, *ANSWER)
    begun = len(driver.requests())
    assert driver.session.heard(-1, [0.1]) == []
    driver.hear(0.1)
    assert len(driver.requests()) == begun + 1
