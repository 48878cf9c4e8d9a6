"""What holds for a whole session: first settings, limits of its key, context, what may change when."""

import pytest
from driving import ANSWER, FRAME, USAGE, Driver, types

from engine import AudioDelta, Finished, TextDelta, Truncation
from realtime.protocol.errors import ProtocolError
from realtime.session.effects import ClearPlayback, SendAudio

DONE = Finished("completed", USAGE)


class Budget:
    """A meter that has so many tokens."""

    def __init__(self, tokens):
        self.tokens = tokens

    def refusal(self):
        return None if self.tokens > 0 else "Wait 20 seconds."

    def spend(self, tokens):
        self.tokens -= tokens

    def state(self):
        return [{"name": "tokens", "limit": 60, "remaining": max(0, self.tokens), "reset_seconds": 20.0}]


def test_each_response_is_counted_and_the_client_told():
    driver = Driver(meter=Budget(50))
    events = driver.engine(driver.respond(), *ANSWER)
    assert types(events)[-2:] == ["response.done", "rate_limits.updated"]
    assert events[-1]["rate_limits"][0]["remaining"] == 50 - 37


def test_without_tokens_a_response_is_refused():
    driver = Driver(meter=Budget(0))
    error = driver.error("response.create")
    assert (error["code"], error["type"]) == ("rate_limit_exceeded", "rate_limit_error")
    assert error["message"] == "Wait 20 seconds."


def test_without_tokens_a_spoken_turn_is_answered_by_a_failure():
    driver = Driver(meter=Budget(0))
    driver.configure(turn_detection={"type": "server_vad", "silence_duration_ms": 64})
    driver.append(bytes(1536 * 10))
    events = driver.hear(0.9, 0.9, 0, 0)
    assert types(events)[-3:] == ["response.created", "response.done", "rate_limits.updated"]
    assert events[-2]["response"]["status_details"]["error"]["code"] == "rate_limit_exceeded"
    assert not driver.requests()


def test_a_session_begins_as_its_client_secret_says():
    initial = {"instructions": "Be brief.", "audio": {"output": {"voice": "bob"}}}
    session = Driver(initial=initial).events[0]["session"]
    assert (session["instructions"], session["audio"]["output"]["voice"]) == ("Be brief.", "bob")
    with pytest.raises(ProtocolError) as caught:
        Driver(initial={"audio": {"output": {"voice": "nobody"}}})
    assert caught.value.param == "session.audio.output.voice"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("auto", Truncation(0.8)),
        ("disabled", None),
        ({"type": "retention_ratio", "retention_ratio": 0.5}, Truncation(0.5)),
        (
            {
                "type": "retention_ratio",
                "retention_ratio": 0.5,
                "token_limits": {"post_instructions": 900},
            },
            Truncation(0.5, 900),
        ),
    ],
)
def test_how_a_long_conversation_is_cut_is_passed_on(given, meant):
    driver = Driver()
    (updated,) = driver.send("session.update", session={"type": "realtime", "truncation": given})
    assert updated["session"]["truncation"] == given
    driver.respond()
    assert driver.requests()[-1].truncation == meant


def test_a_conversation_that_is_too_long_fails_by_name():
    driver = Driver()
    failed = Finished("failed", code="context_length_exceeded", message="It has 40000 tokens.")
    error = driver.engine(driver.respond(), failed)[-1]["response"]["status_details"]["error"]
    assert (error["code"], error["type"]) == ("context_length_exceeded", "invalid_request_error")


def test_tracing_and_the_model_are_taken_as_clients_send_them():
    driver = Driver()
    patch = {"type": "realtime", "tracing": "auto", "model": "gpt-realtime"}
    (updated,) = driver.send("session.update", session=patch)
    assert (updated["session"]["tracing"], updated["session"]["model"]) == ("auto", "chroma")


def test_a_limit_is_incomplete_and_says_why():
    driver = Driver()
    response = driver.respond(max_output_tokens=3)
    assert driver.requests()[-1].max_tokens == 3
    done = driver.engine(response, TextDelta("One"), AudioDelta(FRAME), Finished("length", USAGE))[-1][
        "response"
    ]
    assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert done["output"][0]["status"] == "incomplete"


# A server that plays.


@pytest.fixture
def player():
    driver = Driver(server_plays=True)
    driver.configure(turn_detection={"type": "server_vad", "silence_duration_ms": 64})
    driver.send(
        "session.update",
        session={"type": "realtime", "audio": {"output": {"format": {"type": "audio/pcmu"}}}},
    )
    driver.append(bytes(1536 * 100))
    return driver


def test_a_player_is_given_sound_as_it_is_made(player):
    player.engine(player.respond(), *ANSWER)
    assert [effect.sound for effect in player.effects if isinstance(effect, SendAudio)] == [FRAME, FRAME]


def test_barge_in_clears_what_is_played_and_what_was_not_heard_is_forgotten(player):
    response = player.respond()
    words = TextDelta("One two three four five six seven", tokens=7)
    events = player.engine(response, words, *[AudioDelta(FRAME)] * 20, DONE)
    item = events[-1]["response"]["output"][0]["id"]
    assert types(player.do(player.session.playback_started(response))) == ["output_audio_buffer.started"]
    assert types(player.hear(0.9, 0.9)) == ["input_audio_buffer.speech_started"]
    assert ClearPlayback() in player.effects
    events = player.do(player.session.playback_cleared(response, item, 0, 800))
    assert types(events) == ["conversation.item.truncated", "output_audio_buffer.cleared"]
    assert events[0]["audio_end_ms"] == 800
    player.hear(0.0, 0.0)
    assert player.requests()[-1].messages[1].parts[0].text == "One two three"


def test_a_client_may_clear_what_is_played(player):
    assert player.send("output_audio_buffer.clear") == []
    response = player.respond()
    player.engine(response, *ANSWER)
    assert player.send("output_audio_buffer.clear") == []
    assert player.effects[-1] == ClearPlayback()
    assert types(player.do(player.session.playback_cleared(response, "gone", 0, 10))) == [
        "output_audio_buffer.cleared"
    ]


def test_an_answer_that_was_played_is_over(player):
    response = player.respond()
    player.engine(response, *ANSWER)
    (stopped,) = player.do(player.session.playback_stopped(response))
    assert (stopped["type"], stopped["response_id"]) == ("output_audio_buffer.stopped", response)


def test_sound_beside_the_events_is_heard_like_any_other(player):
    player.do(player.session.append_sound(bytes(1536 * 4)))
    assert player.effects[-1].pcm == bytes(1536 * 4)
    full = Driver(server_plays=True, max_buffer_s=0.1)
    (error,) = full.do(full.session.append_sound(bytes(48 * 200)))
    assert error["error"]["code"] == "input_audio_buffer_full"
