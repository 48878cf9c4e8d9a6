"""The hand-made frames, and what a listener hears of them."""

import base64
import json

import pytest
from caller import SERVER_EVENT

from realtime.server.playback import Answer, Playback
from realtime.server.wire import encode_audio
from realtime.session.effects import SendAudio


def frames(pcm: bytes) -> list[dict]:
    effect = SendAudio("event_1", "resp_1", "item_1", 0, 0, pcm)
    return [json.loads(frame) for frame in encode_audio(effect)]


def test_sound_is_a_whole_event():
    (event,) = frames(b"\1\2" * 1920)
    assert SERVER_EVENT.validate_python(event).type == "response.output_audio.delta"
    assert event == {
        "type": "response.output_audio.delta",
        "event_id": "event_1",
        "response_id": "resp_1",
        "item_id": "item_1",
        "output_index": 0,
        "content_index": 0,
        "delta": base64.b64encode(b"\1\2" * 1920).decode(),
    }


@pytest.mark.parametrize("size", [2, 9600, 9602, 50_000])
def test_long_sound_goes_in_parts_of_200_ms(size):
    pcm = bytes(range(256)) * 200
    events = frames(pcm[:size])
    parts = [base64.b64decode(event["delta"]) for event in events]
    assert b"".join(parts) == pcm[:size]
    assert all(len(part) <= 9600 for part in parts)
    ids = [event["event_id"] for event in events]
    assert ids[0] == "event_1"
    assert len(set(ids)) == len(ids)


def test_a_gap_is_when_playing_runs_dry():
    playback = Playback()
    playback.add(10.0, bytes(48_000))
    playback.add(10.5, bytes(48_000))
    assert playback.gaps == []
    playback.add(12.25, bytes(4_800))
    assert playback.gaps == pytest.approx([0.25])
    playback.add(12.3, bytes(4_800))
    assert playback.gaps == pytest.approx([0.25])
    assert (playback.first, playback.seconds, playback.took) == pytest.approx((10.0, 2.2, 2.3))


def test_a_report_says_how_long_it_took_to_answer():
    answer = Answer(speech_end=9.0, asked=9.5)
    assert answer.report() == ["the answer has no sound"]
    answer.playback.add(10.0, bytes(48_000))
    answer.playback.add(10.4, bytes(48_000))
    report = " ".join(" ".join(answer.report()).split())
    assert "end of speech to first sound 1000 ms" in report
    assert "commit to first sound 500 ms" in report
    assert "2.00 s of sound in 0.40 s" in report
    assert "real-time factor 0.20" in report


def test_a_report_gives_no_speed_of_an_answer_that_was_made_ahead():
    answer = Answer(speech_end=9.0, asked=9.5)
    answer.playback.add(9.51, bytes(96_000))
    answer.playback.add(9.515, bytes(96_000))
    report = " ".join(" ".join(answer.report()).split())
    assert "real-time factor not seen: the answer was made ahead" in report
