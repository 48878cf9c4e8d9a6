"""Frames to events, base64 to sound, and ids."""

import base64
import string

import pytest

from realtime.protocol.errors import ProtocolError
from realtime.protocol.events import decode_audio, event_id_of, parse
from realtime.protocol.ids import random_id
from realtime.protocol.items import NewAudio, NewText, read_item


@pytest.mark.parametrize("prefix", ["event", "sess", "item", "resp", "conv"])
def test_ids_are_spelled_as_the_live_service_spells_them(prefix):
    made = {random_id(prefix) for _ in range(2000)}
    assert len(made) == 2000
    for name in made:
        head, _, tail = name.partition("_")
        assert head == prefix
        assert len(tail) == 21
        assert set(tail) <= set(string.ascii_letters + string.digits)
    assert len({letter for name in made for letter in name.partition("_")[2]}) == 62


@pytest.mark.parametrize("frame", ["", "nonsense", "{", b"\xff", "\ud800", '"\\ud800"', "[" * 5000])
def test_what_is_not_json_is_told_so(frame):
    with pytest.raises(ProtocolError) as caught:
        parse(frame)
    assert caught.value.code == "invalid_json"


def test_an_event_id_may_be_as_long_as_the_schema_says():
    assert event_id_of({"event_id": "x" * 512}) == "x" * 512
    assert event_id_of({}) is None
    with pytest.raises(ProtocolError):
        event_id_of({"event_id": "x" * 513})


@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000])
def test_sound_of_any_size_is_decoded(size):
    sound = bytes(range(256)) * 4
    assert decode_audio(base64.b64encode(sound[:size]).decode(), "audio", 2000) == sound[:size]


@pytest.mark.parametrize("audio", ["A", "AAA", "AA=A", "A\nAA", "____", "AAAA ", "データ"])
def test_base64_is_read_strictly(audio):
    with pytest.raises(ProtocolError) as caught:
        decode_audio(audio, "audio", 2000)
    assert (caught.value.code, caught.value.param) == ("invalid_value", "audio")


def test_a_users_message_may_mix_words_and_sound():
    content = [
        {"type": "input_text", "text": "Listen:"},
        {"type": "input_audio", "audio": "AAAA" * 4, "transcript": "hm"},
    ]
    item = read_item(
        {"type": "message", "role": "user", "content": content}, lambda audio, at: base64.b64decode(audio)
    )
    assert item.content == (NewText("Listen:"), NewAudio(bytes(12), "hm"))
    assert item.id is None


def unread(audio, at):
    raise AssertionError("there is no sound to read")


@pytest.mark.parametrize("kind", [{}, [], 5, True])
def test_a_type_that_is_no_string_is_an_error_like_any_other(kind):
    with pytest.raises(ProtocolError) as caught:
        read_item({"type": kind}, unread)
    assert (caught.value.code, caught.value.param) == ("invalid_value", "item.type")
    with pytest.raises(ProtocolError) as caught:
        read_item({"type": "message", "role": "user", "content": [{"type": kind}]}, unread)
    assert (caught.value.code, caught.value.param) == ("invalid_value", "item.content[0].type")
