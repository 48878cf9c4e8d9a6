"""What a child has been sent of the sounds in its requests."""

from engine import Audio, Message, Reference, Request
from engine.sent import SentSounds


def request(*sounds: Audio, voice: Reference | str | None = None) -> Request:
    return Request(id="r", messages=(Message("user", sounds),), voice=voice)


def test_a_sound_is_sent_once_until_it_is_forgotten():
    sent, asked = SentSounds(), request(Audio("a", b"1234"), voice=Reference("v", "Hello.", b"56"))
    assert sent.strip(asked) == (asked, ())
    light, longer = sent.strip(asked)
    assert [sound.pcm for sound in light.sounds()] == [b""]
    assert isinstance(light.voice, Reference)
    assert (light.voice.pcm, longer) == (b"", ())
    assert set(sent.forget(["a", "v", "never sent"])) == {"a", "v"}
    assert sent.strip(asked) == (asked, ())


def test_of_a_sound_that_was_heard_while_it_was_spoken_the_rest_is_sent():
    sent = SentSounds()
    sent.more(Audio("a", b"12"))
    early, _ = sent.strip(request(Audio("a", b"1234", whole=False)))
    assert [sound.pcm for sound in early.sounds()] == [b"34"]
    assert "a" in sent.arriving
    light, longer = sent.strip(request(Audio("a", b"123456")))
    assert [sound.pcm for sound in light.sounds()] == [b"3456"]
    assert longer == ()
    assert "a" not in sent.arriving
    assert "a" in sent.whole


def test_a_sound_that_ended_before_what_was_heard_of_it_is_sent_anew():
    sent = SentSounds()
    sent.more(Audio("a", b"123456"))
    whole, longer = sent.strip(request(Audio("a", b"1234")))
    assert [sound.pcm for sound in whole.sounds()] == [b"1234"]
    assert longer == ("a",)
