"""A `session.update` is a patch: what it names changes, all else stays, and an error changes nothing."""

import pytest

from realtime.protocol.errors import ProtocolError
from realtime.protocol.session_object import SessionObject, update
from realtime.protocol.values import STOCK_VOICES, voice_error

FRESH = SessionObject(type="realtime", instructions="Be brief.")


def patched(*patches, start=FRESH):
    session = start
    for patch in patches:
        session = update(session, {"type": "realtime", **patch})
    return session.model_dump()


def vad(value):
    return {"audio": {"input": {"turn_detection": value}}}


def test_nothing_named_nothing_changed():
    assert patched({}) == FRESH.model_dump()


@pytest.mark.parametrize(
    "patch",
    [
        {"instructions": None, "output_modalities": None, "tools": None, "max_output_tokens": None},
        {"audio": None},
        {"audio": {"input": None, "output": None}},
        {"audio": {"input": {"format": None}, "output": {"voice": None, "speed": None, "format": None}}},
        {"audio": {"input": {"format": {"type": "audio/pcm", "rate": None}}}},
        {"audio": {"type": "unheard of"}},
        vad({"threshold": None, "create_response": None}),
    ],
)
def test_null_changes_nothing_where_null_is_no_value(patch):
    start = update(FRESH, {"type": "realtime", "audio": {"output": {"voice": "bob"}}})
    assert patched(patch, start=start) == start.model_dump()


def test_a_patch_reaches_only_what_it_names():
    session = patched(
        {"output_modalities": ["text"], "audio": {"output": {"voice": "bob"}}}, vad({"threshold": 0.8})
    )
    expected = FRESH.model_dump()
    expected["output_modalities"] = ["text"]
    expected["audio"]["output"]["voice"] = "bob"
    expected["audio"]["input"]["turn_detection"]["threshold"] = 0.8
    assert session == expected


def test_empty_instructions_are_no_instructions():
    assert patched({"instructions": ""})["instructions"] == ""


def test_turn_detection_that_was_null_begins_from_its_defaults():
    defaults = FRESH.model_dump()["audio"]["input"]["turn_detection"]
    again = patched(vad({"threshold": 0.9}), vad(None), vad({"type": "server_vad", "threshold": None}))
    assert again["audio"]["input"]["turn_detection"] == defaults


def test_turn_detection_that_was_null_needs_its_type():
    with pytest.raises(ProtocolError) as caught:
        patched(vad(None), vad({"threshold": 0.9}))
    assert caught.value.param == "session.audio.input.turn_detection.type"


def test_an_error_leaves_the_session_as_it_was():
    before = FRESH.model_dump()
    with pytest.raises(ProtocolError):
        patched({"instructions": "New.", "audio": {"output": {"voice": "bob", "speed": 2}}})
    assert FRESH.model_dump() == before


def test_a_patch_may_be_nested_as_deep_as_it_likes():
    deep = {}
    for _ in range(100_000):
        deep = {"audio": deep}
    assert patched({"unheard_of": deep, "audio": {"unheard_of": deep}}) == FRESH.model_dump()


@pytest.mark.parametrize(
    ("tracing", "echoed"),
    [
        ("auto", "auto"),
        (None, None),
        ({"workflow_name": "w", "x": 1, "group_id": None}, {"workflow_name": "w"}),
        ({"metadata": {"a": "b"}}, {"metadata": {"a": "b"}}),
    ],
)
def test_tracing_is_taken_and_echoed(tracing, echoed):
    assert patched({"tracing": tracing})["tracing"] == echoed


@pytest.mark.parametrize("tracing", [5, "always", [], {"group_id": 5}, {"metadata": {"a": {}}}])
def test_tracing_that_clients_could_not_read_back_is_refused(tracing):
    with pytest.raises(ProtocolError) as caught:
        patched({"tracing": tracing})
    assert caught.value.param == "session.tracing"


def test_a_voice_is_installed_or_one_of_the_stock_ones():
    assert not any(voice_error(name, ("ada",)) for name in ("ada", *STOCK_VOICES))
    assert "ada, bob" in (voice_error("nobody", ("ada", "bob")) or "")
    assert voice_error("", ("ada",))
