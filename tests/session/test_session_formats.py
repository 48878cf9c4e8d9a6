"""G.711 and speed in a session: what is counted, kept, played and truncated."""

import base64

import numpy as np
import pytest
from driving import FRAME, USAGE, WINDOW, Driver, types

from engine import AudioDelta, Finished, TextDelta
from realtime.audio import g711
from realtime.audio.formats import SoundDecoder, SoundEncoder
from realtime.session.effects import Detect, SendAudio

LAWS = {"audio/pcmu": "mu-law", "audio/pcma": "A-law"}
TONE = (8000 * np.sin(np.arange(24_000) * 2 * np.pi * 440 / 24_000)).astype("<i2").tobytes()
"""One second."""


def phone(kind):
    driver = Driver()
    patch = {
        "input": {"format": {"type": kind}, "turn_detection": None},
        "output": {"format": {"type": kind}},
    }
    (updated,) = driver.send("session.update", session={"type": "realtime", "audio": patch})
    assert updated["session"]["audio"]["output"]["format"] == {"type": kind}, "no rate, as strict clients ask"
    return driver


def encoded(kind, pcm=TONE):
    encoder = SoundEncoder(kind)
    return encoder.add(pcm) + encoder.flush()


@pytest.mark.parametrize("kind", LAWS)
def test_what_a_phone_says_reaches_the_model_as_24_khz(kind):
    driver = phone(kind)
    data = encoded(kind)
    for start in range(0, len(data), 160):
        driver.append(data[start : start + 160])
    driver.send("input_audio_buffer.commit")
    driver.respond()
    (sound,) = driver.requests()[-1].messages[-1].parts
    assert len(sound.pcm) == len(TONE)
    heard, said = (np.frombuffer(pcm, "<i2").astype(float) for pcm in (sound.pcm, TONE))
    assert np.corrcoef(heard, said)[0, 1] > 0.999


@pytest.mark.parametrize("kind", LAWS)
def test_exactly_100_ms_of_a_phone_are_enough(kind):
    driver = phone(kind)
    driver.append(bytes(799))
    assert driver.error("input_audio_buffer.commit")["code"] == "input_audio_buffer_commit_empty"
    driver.append(bytes(1))
    assert types(driver.send("input_audio_buffer.commit"))[0] == "input_audio_buffer.committed"


def test_the_detector_hears_all_that_is_buffered_whatever_its_format():
    driver = phone("audio/pcmu")
    driver.configure(turn_detection={"type": "server_vad"})
    driver.append(bytes(100))
    assert driver.error("input_audio_buffer.commit")["code"] == "input_audio_buffer_commit_empty"
    driver.configure(format={"type": "audio/pcm"})
    driver.append(bytes(2 * WINDOW))
    detected = sum(len(effect.pcm) for effect in driver.effects if isinstance(effect, Detect))
    assert detected == 100 * 6 + 2 * WINDOW


@pytest.mark.parametrize("kind", LAWS)
def test_an_answer_is_sent_as_the_phone_takes_it(kind):
    driver = phone(kind)
    frames = [AudioDelta(TONE[at : at + 3840]) for at in range(0, len(TONE), 3840)]
    events = driver.engine(driver.respond(), TextDelta("Hi"), *frames, Finished("completed", USAGE))
    sent = b"".join(effect.sound for effect in driver.effects if isinstance(effect, SendAudio))
    assert len(sent) == len(TONE) // 6
    heard = g711.decode(sent, LAWS[kind]).astype(float)
    assert np.corrcoef(heard[:-80], np.frombuffer(TONE, "<i2")[::3][:-80].astype(float))[0, 1] > 0.999
    assert events[-1]["response"]["audio"]["output"]["format"] == {"type": kind}
    item = events[-1]["response"]["output"][0]["id"]
    driver.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=500)
    (retrieved,) = driver.send("conversation.item.retrieve", item_id=item)
    assert len(base64.b64decode(retrieved["item"]["content"][0]["audio"])) == 4000


def test_an_interrupted_answer_sends_nothing_that_was_kept_back():
    driver = phone("audio/pcmu")
    driver.engine(driver.respond(), TextDelta("Hi"), AudioDelta(FRAME))
    before = len(driver.effects)
    driver.send("response.cancel")
    assert not [effect for effect in driver.effects[before:] if isinstance(effect, SendAudio)]


def test_a_response_may_have_a_format_of_its_own():
    driver = Driver()
    driver.engine(
        driver.respond(audio={"output": {"format": {"type": "audio/pcma"}}}),
        TextDelta("Hi"),
        AudioDelta(TONE),
        Finished("completed", USAGE),
    )
    assert sum(len(e.sound) for e in driver.effects if isinstance(e, SendAudio)) == len(TONE) // 6


@pytest.mark.parametrize("kind", LAWS)
def test_sound_in_an_item_has_the_sessions_format(kind):
    driver = phone(kind)
    part = {"type": "input_audio", "audio": base64.b64encode(encoded(kind)).decode()}
    driver.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
    driver.respond()
    (sound,) = driver.requests()[-1].messages[-1].parts
    assert len(sound.pcm) == len(TONE)
    (retrieved,) = driver.send("conversation.item.retrieve", item_id=driver.events[-2]["item"]["id"])
    back = base64.b64decode(retrieved["item"]["content"][0]["audio"])
    assert len(back) == len(TONE) // 6


def test_a_change_of_format_loses_nothing():
    driver = phone("audio/pcmu")
    driver.append(encoded("audio/pcmu"))
    driver.configure(format={"type": "audio/pcm"})
    driver.append(TONE)
    driver.send("input_audio_buffer.commit")
    driver.respond()
    (sound,) = driver.requests()[-1].messages[-1].parts
    decoder = SoundDecoder("audio/pcmu")
    assert sound.pcm == decoder.add(encoded("audio/pcmu")) + decoder.flush() + TONE


@pytest.mark.parametrize("speed", [0.25, 0.8, 1.5])
def test_speed_changes_how_long_an_answer_is_and_what_a_mark_in_it_means(speed):
    driver = Driver()
    driver.send("session.update", session={"type": "realtime", "audio": {"output": {"speed": speed}}})
    words = " ".join(str(number) for number in range(10))
    frames = [AudioDelta(TONE[at : at + 3840]) for at in range(0, len(TONE), 3840)]
    events = driver.engine(
        driver.respond(), TextDelta(words, tokens=6), *frames, Finished("completed", USAGE)
    )
    sent = sum(len(effect.sound) for effect in driver.effects if isinstance(effect, SendAudio))
    assert abs(sent / 2 - 24_000 / speed) <= 1
    item = events[-1]["response"]["output"][0]["id"]
    half_ms = int(500 / speed)
    driver.send("conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=half_ms)
    (retrieved,) = driver.send("conversation.item.retrieve", item_id=item)
    content = retrieved["item"]["content"][0]
    assert abs(len(base64.b64decode(content["audio"])) / 48 - 500) <= 1, "as it was made"
    assert content["transcript"] in ("0 1 2 3", "0 1 2 3 4")


def test_speed_holds_from_the_next_response_on():
    driver = Driver()
    response = driver.respond()
    driver.engine(response, TextDelta("Hi"), AudioDelta(FRAME))
    driver.send("session.update", session={"type": "realtime", "audio": {"output": {"speed": 0.5}}})
    driver.engine(response, AudioDelta(FRAME), Finished("completed", USAGE))
    assert sum(len(e.sound) for e in driver.effects if isinstance(e, SendAudio)) == 2 * len(FRAME)
