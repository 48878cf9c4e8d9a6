"""Truncation: what a listener did not hear is forgotten, in sound and in words."""

import base64

import pytest
from driving import ANSWER, FRAME, USAGE, types

from engine import AudioDelta, Finished, Text, TextDelta


def test_truncate_cuts_sound_and_words_and_what_the_model_is_shown(driver):
    driver.say("Hi")
    words = " ".join(str(number) for number in range(10))
    response = driver.respond()
    events = driver.engine(
        response, TextDelta(words), *[AudioDelta(FRAME)] * 10, Finished("completed", USAGE)
    )
    item_id = events[-1]["response"]["output"][0]["id"]

    def truncate(ms):
        return driver.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=ms)

    assert truncate(99_999)[0]["audio_end_ms"] == 99_999, "past the end it clamps"
    assert types(truncate(400)) == ["conversation.item.truncated"]
    assert types(truncate(700)) == ["conversation.item.truncated"], "a later, larger one is no error"
    (retrieved,) = driver.send("conversation.item.retrieve", item_id=item_id)
    content = retrieved["item"]["content"][0]
    assert content["transcript"] == "0 1 2 3 4"
    assert len(base64.b64decode(content["audio"])) == 400 * 48
    driver.respond()
    assert driver.requests()[-1].messages[-1].parts == (Text("0 1 2 3 4"),)


def test_truncating_to_nothing_leaves_nothing_to_the_model(driver):
    driver.say("Hi")
    response = driver.respond()
    item_id = driver.engine(response, *ANSWER)[0]["item"]["id"]
    driver.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=0)
    driver.respond()
    assert [message.role for message in driver.requests()[-1].messages] == ["system", "user"]


def test_an_item_truncated_while_it_is_made_keeps_nothing_of_what_follows(driver):
    response = driver.respond()
    item_id = driver.engine(response, *ANSWER[:3])[0]["item"]["id"]
    driver.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=40)
    events = driver.engine(response, *ANSWER[3:])
    assert events[-1]["response"]["output"][0]["content"][0]["transcript"] == "Hello there, you."
    driver.say("And?")
    driver.respond()
    roles = [message.role for message in driver.requests()[-1].messages]
    assert roles == ["system", "user"], "half of the first word was heard: no word"


def test_an_item_truncated_while_it_is_made_keeps_what_lies_before_the_mark(driver):
    response = driver.respond()
    item_id = driver.engine(response, TextDelta("One two "), AudioDelta(FRAME))[0]["item"]["id"]
    driver.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=200)
    driver.engine(response, TextDelta("three four"), *[AudioDelta(FRAME)] * 4, Finished("completed", USAGE))
    (retrieved,) = driver.send("conversation.item.retrieve", item_id=item_id)
    content = retrieved["item"]["content"][0]
    assert len(base64.b64decode(content["audio"])) == 200 * 48
    assert content["transcript"] == "One two", "200 of 400 ms"


def test_the_words_that_ran_ahead_of_an_interrupted_answer_were_not_heard(driver):
    """All of the text is there when less than a second of its sound is made."""
    response = driver.respond()
    words = "One two three four five six seven eight nine ten"
    item_id = driver.engine(response, TextDelta(words), *[AudioDelta(FRAME)] * 10)[0]["item"]["id"]
    driver.send("response.cancel")
    driver.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=800)
    driver.respond()
    (said,) = driver.requests()[-1].messages[-1].parts
    assert said == Text("One two"), "0.8 s of some 3 s that these words take"


@pytest.mark.parametrize(
    "words", ["今天天气很好,我们可以去公园散步,然后一起吃午饭。", "今天天气很好", "x" * 60]
)
def test_words_without_spaces_are_cut_where_they_were_heard(driver, words):
    response = driver.respond()
    tokens = len(words)
    events = driver.engine(
        response, TextDelta(words, tokens), *[AudioDelta(FRAME)] * 50, Finished("completed", USAGE)
    )
    item_id = events[-1]["response"]["output"][0]["id"]
    driver.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=3200)
    (retrieved,) = driver.send("conversation.item.retrieve", item_id=item_id)
    assert retrieved["item"]["content"][0]["transcript"] == words[: len(words) * 4 // 5], "4 of 5 parts"


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        ("Überraschung", ""),
        ("Ja, Überraschung", "Ja,"),
        ("今天 Überraschung", "今天"),
        ("Hi今天天气很好", "Hi今天天"),
    ],
)
def test_a_word_that_was_not_heard_whole_goes(driver, words, kept):
    response = driver.respond()
    done = Finished("completed", USAGE)
    events = driver.engine(response, TextDelta(words, len(words)), *[AudioDelta(FRAME)] * 50, done)
    item_id = events[-1]["response"]["output"][0]["id"]
    driver.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=2700)
    (retrieved,) = driver.send("conversation.item.retrieve", item_id=item_id)
    assert retrieved["item"]["content"][0]["transcript"] == kept


def test_a_truncated_transcript_keeps_its_line_breaks(driver):
    response = driver.respond()
    events = driver.engine(
        response, TextDelta("a\nb  c\nd e"), *[AudioDelta(FRAME)] * 10, Finished("completed", USAGE)
    )
    item_id = events[0]["item"]["id"]
    driver.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=500)
    (retrieved,) = driver.send("conversation.item.retrieve", item_id=item_id)
    assert retrieved["item"]["content"][0]["transcript"] == "a\nb  c"


def test_only_the_models_sound_can_be_truncated(driver):
    written = driver.engine(driver.respond(output_modalities=["text"]), *ANSWER)[0]["item"]["id"]
    error = driver.error("conversation.item.truncate", item_id=written, content_index=0, audio_end_ms=0)
    assert (error["code"], error["param"]) == ("unsupported_content_type", "content_index")
