"""What stock clients send without meaning much by it is taken."""

import pytest


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"model": "gpt-realtime", "id": "sess_mine", "object": "realtime.session"},
        {"temperature": 0.8, "unheard_of": {"a": 1}},
        {"tracing": "auto"},
        {"tools": [], "tool_choice": "auto", "truncation": "auto", "max_output_tokens": "inf"},
        {"instructions": None, "audio": None, "output_modalities": None},
        {"audio": {"input": None, "output": {"voice": None, "speed": 1}}},
        {
            "audio": {
                "input": {"format": {"type": "audio/pcm"}, "transcription": None, "noise_reduction": None}
            }
        },
    ],
)
def test_what_stock_clients_send_is_taken(driver, fields):
    (updated,) = driver.send("session.update", session={"type": "realtime", **fields})
    assert updated["type"] == "session.updated"
    assert updated["session"]["model"] == "chroma"
    assert updated["session"]["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 24000}
    assert updated["session"]["instructions"] == driver.config.instructions


def test_turn_detection_merges_key_by_key_and_null_clears_it(driver):
    def detection(value):
        return driver.configure(turn_detection=value)[0]["session"]["audio"]["input"]["turn_detection"]

    assert detection({"threshold": 0.7})["threshold"] == 0.7
    later = detection({"type": "server_vad", "silence_duration_ms": 900})
    assert (later["threshold"], later["silence_duration_ms"], later["prefix_padding_ms"]) == (0.7, 900, 300)
    assert detection(None) is None
    assert detection({"type": "server_vad"})["threshold"] == 0.5


def test_an_assistants_turns_may_be_replayed_as_words_in_any_spelling(driver):
    for part in (
        {"type": "output_text", "text": "Hi"},
        {"type": "text", "text": "Hi"},
        {"type": "output_audio", "transcript": "Hi"},
        {"type": "output_audio", "text": "Hi", "audio": "AAAA"},
    ):
        events = driver.send(
            "conversation.item.create", item={"type": "message", "role": "assistant", "content": [part]}
        )
        assert events[0]["item"]["content"] == [{"type": "output_text", "text": "Hi"}]


@pytest.mark.parametrize(
    "fields",
    [
        None,
        {},
        dict.fromkeys(("instructions", "output_modalities", "max_output_tokens", "metadata", "conversation")),
        dict.fromkeys(("input", "tools", "tool_choice", "prompt", "audio")),
        {"audio": {"output": None}},
        {"audio": {"output": {"voice": None, "format": None}}, "conversation": "auto", "tools": []},
    ],
)
def test_a_response_may_leave_everything_to_the_session(driver, fields):
    (created,) = driver.send("response.create", response=fields)
    assert created["response"]["audio"]["output"]["voice"] == "ada"
    assert created["response"]["output_modalities"] == ["audio"]
    assert created["response"]["max_output_tokens"] == "inf"
