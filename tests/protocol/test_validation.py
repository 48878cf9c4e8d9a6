"""What pydantic finds wrong, as the one error that the protocol would give."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import BeforeValidator, Field

from realtime.protocol.errors import ProtocolError, unsupported
from realtime.protocol.validation import Bool, Int, Number, Str, Wire, check, refuse, show


def _never(value):
    raise refuse("unsupported_value", "not {here} yet")


class Inner(Wire):
    text: Str


class Outer(Wire):
    word: Str = ""
    count: Annotated[Int, Field(ge=1, le=9)] = 1
    share: Annotated[Number, Field(ge=0, le=1)] = 0.5
    flag: Bool = True
    kind: Literal["a", "b"] = "a"
    parts: list[Inner] = Field(default_factory=list)
    names: dict[Str, Str] = Field(default_factory=dict)
    later: Annotated[None, BeforeValidator(_never)] = None


def wrong(at="", **data):
    with pytest.raises(ProtocolError) as caught:
        check(Outer, data, at)
    return caught.value


@pytest.mark.parametrize(
    ("data", "code", "param", "says"),
    [
        ({"word": 5}, "invalid_type", "word", "expected a string, but got a number"),
        ({"word": None}, "invalid_type", "word", "but got null"),
        ({"flag": "true"}, "invalid_type", "flag", "expected a boolean, but got a string"),
        ({"count": "1"}, "invalid_type", "count", "expected an integer, but got a string"),
        ({"count": True}, "invalid_type", "count", "but got a boolean"),
        ({"count": 1.5}, "invalid_type", "count", "expected an integer, but got a number"),
        ({"count": 0}, "integer_below_min_value", "count", "at least 1, but got 0"),
        ({"count": 10}, "integer_above_max_value", "count", "at most 9, but got 10"),
        ({"share": -0.1}, "decimal_below_min_value", "share", "at least 0"),
        ({"share": 2}, "decimal_above_max_value", "share", "at most 1"),
        ({"kind": "c"}, "invalid_value", "kind", "'c'. Supported values are: 'a' or 'b'"),
        ({"parts": {}}, "invalid_type", "parts", "expected an array, but got an object"),
        ({"parts": ["x"]}, "invalid_type", "parts[0]", "expected an object, but got a string"),
        ({"parts": [{"text": ""}, {}]}, "missing_required_parameter", "parts[1].text", "'parts[1].text'"),
        ({"names": {"k": 5}}, "invalid_type", "names.k", "expected a string"),
        ({"later": 1}, "unsupported_value", "later", "Unsupported 'later': not {here} yet."),
    ],
)
def test_each_kind_of_error_says_what_was_wrong_and_what_would_be_right(data, code, param, says):
    error = wrong(**data)
    assert (error.code, error.param) == (code, param)
    assert says in error.message
    assert wrong("session.audio", **data).param == f"session.audio.{param}"


def test_unknown_keys_are_ignored():
    assert check(Outer, {"word": "x", "unheard_of": {"a": 1}}).word == "x"


def test_an_integer_is_a_number_too():
    assert check(Outer, {"share": 1}).share == 1.0


def test_megabytes_are_not_sent_back():
    huge = "k" * 1_000_000
    for error in (wrong(kind=huge), wrong(names={huge: 5})):
        body = error.body(None)
        assert len(body["message"]) < 1000
        assert len(body["param"]) < 1000
    assert len(show(huge)) < 200


def test_depth_is_no_danger():
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    assert show(nested) == "an array"


def test_an_error_always_has_all_five_keys():
    body = unsupported("session.tools", "No.").body("mine")
    assert body == {
        "type": "invalid_request_error",
        "code": "unsupported_value",
        "message": "No.",
        "param": "session.tools",
        "event_id": "mine",
    }
