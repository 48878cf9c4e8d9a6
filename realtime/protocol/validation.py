"""pydantic finds what is wrong; here it becomes the one error that the protocol would give."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Strict, ValidationError
from pydantic_core import PydanticCustomError

from realtime.protocol.errors import ProtocolError

Str = Annotated[str, Strict()]
Int = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Bool = Annotated[bool, Strict()]


class Wire(BaseModel):
    """Base of everything that is read from the wire. Unknown keys are ignored: old and new clients send
    fields that mean nothing here."""

    model_config = ConfigDict(extra="ignore")


Model = TypeVar("Model", bound=Wire)

_LIMITS = {
    "greater_than_equal": ("below_min_value", "at least", "ge"),
    "less_than_equal": ("above_max_value", "at most", "le"),
}


_LONGEST_SHOWN = 100
_LONGEST_PATH = 200


_TAGS = {"server_vad", "semantic_vad", "audio/pcm", "audio/pcmu", "audio/pcma", "<word>", "<object>"}
"""What pydantic puts into the path of a field of a discriminated union; no field has such a name."""


def refuse(code: str, message: str, at: str = "") -> PydanticCustomError:
    """An error of our own for a validator to raise, about what stands at the path `at` in its value."""
    # Given as a value, the message is no template: braces in it stay what they are.
    return PydanticCustomError(code, "{message}", {"message": message, "at": at})


def check(model: type[Model], data: Any, at: str = "") -> Model:
    """Validate `data`, which stands at the dotted path `at`.

    Raises:
        ProtocolError: the first thing that is wrong.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _translate(error.errors(include_url=False)[0], at) from None


def _translate(found: Any, at: str) -> ProtocolError:
    kind, context, given = found["type"], found.get("ctx") or {}, found["input"]
    param = _path(at, found["loc"]) + context.get("at", "")
    if kind == "union_tag_not_found":
        kind, param = "missing", f"{param}.type"
    if kind == "union_tag_invalid":
        given, kind, param = context["tag"], "literal_error", f"{param}.type"
        context = {"expected": context["expected_tags"]}
    if kind == "missing":
        return ProtocolError("missing_required_parameter", f"Missing required parameter: '{param}'.", param)
    if kind == "literal_error":
        return ProtocolError(
            "invalid_value",
            f"Invalid value: {show(given)}. Supported values are: {context['expected']}.",
            param,
        )
    if kind in _LIMITS:
        suffix, word, key = _LIMITS[kind]
        number = "integer" if isinstance(given, int) and isinstance(context[key], int) else "decimal"
        return ProtocolError(
            f"{number}_{suffix}",
            f"Invalid '{param}': {number} {suffix.replace('_', ' ')}. Expected a value of {word}"
            f" {context[key]}, but got {show(given)} instead.",
            param,
        )
    if kind.endswith(("_type", "_parsing", "_from_float")):
        return ProtocolError(
            "invalid_type",
            f"Invalid type for '{param}': {_expected(found['msg'])}, but got {kind_of(given)} instead.",
            param,
        )
    if "at" not in context:
        kind = "invalid_value"
    # Our own validators name their code themselves.
    wrong = "Unsupported" if kind == "unsupported_value" else "Invalid"
    return ProtocolError(kind, f"{wrong} '{param}': {found['msg'].rstrip('.')}.", param)


def _path(at: str, location: tuple[int | str, ...]) -> str:
    path = at
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step not in _TAGS:
            path += f".{step}" if path else step
    return path if len(path) <= _LONGEST_PATH else path[: _LONGEST_PATH - 1] + "…"


def _expected(message: str) -> str:
    """pydantic's "Input should be a valid dictionary or instance of Audio", in the words of JSON."""
    expected = (
        re.split(" or (?:instance of|object to extract)", message)[0]
        .replace("Input should be", "expected")
        .rstrip(".")
    )
    for python, json in (("a valid dictionary", "an object"), ("a valid list", "an array"), ("valid ", "")):
        expected = expected.replace(python, json)
    return expected.replace("a integer", "an integer")


def show(value: Any) -> str:
    """What was given, short enough to be repeated in an error: a client may send megabytes."""
    if isinstance(value, (dict, list)):
        return kind_of(value)
    if isinstance(value, str) and len(value) > _LONGEST_SHOWN:
        value = value[: _LONGEST_SHOWN - 1] + "…"
    return repr(value)


def kind_of(value: Any) -> str:
    """The JSON type of a value, with its article."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
