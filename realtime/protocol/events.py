"""Client events as they are read: what each must hold, checked before anything happens.

`input_audio_buffer.append` is checked by hand: it comes fifty times a second from every session.
"""

from __future__ import annotations

from typing import Annotated, Any

import orjson
import pybase64
from pydantic import Field

from realtime.protocol.errors import ProtocolError
from realtime.protocol.response_object import ResponseObject
from realtime.protocol.validation import Int, Str, Wire, kind_of

LONGEST_EVENT_ID = 512


class SessionUpdate(Wire):
    """`session.update`; the patch is checked against the session it changes."""

    session: dict[str, Any]


class ItemCreate(Wire):
    """`conversation.item.create`; the item is read by `realtime.protocol.items`."""

    item: dict[str, Any]
    previous_item_id: Str | None = None


class ItemRef(Wire):
    """`conversation.item.retrieve` and `conversation.item.delete`."""

    item_id: Str


class ItemTruncate(Wire):
    """`conversation.item.truncate`."""

    item_id: Str
    content_index: Annotated[Int, Field(ge=0)]
    audio_end_ms: Annotated[Int, Field(ge=0)]


class ResponseCreate(Wire):
    """`response.create`."""

    response: ResponseObject | None = None


class ResponseCancel(Wire):
    """`response.cancel`; without an id, the active response."""

    response_id: Str | None = None


def parse(frame: str | bytes) -> dict[str, Any]:
    """One text frame to one event object.

    Raises:
        ProtocolError: `invalid_json` or `invalid_event`.
    """
    try:
        event = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        raise ProtocolError("invalid_json", f"The frame is not valid JSON: {error}.") from None
    if not isinstance(event, dict):
        raise ProtocolError(
            "invalid_event", f"An event is a JSON object with a 'type', but {kind_of(event)} came."
        )
    return event


def event_id_of(event: dict[str, Any]) -> str | None:
    """The client's own id of an event, to be named in an error about it.

    Raises:
        ProtocolError: it is no string, or too long to be repeated.
    """
    event_id = event.get("event_id")
    if event_id is None:
        return None
    if not isinstance(event_id, str):
        raise ProtocolError("invalid_type", "Invalid type for 'event_id': expected a string.", "event_id")
    if len(event_id) > LONGEST_EVENT_ID:
        raise ProtocolError(
            "invalid_value", f"'event_id' holds at most {LONGEST_EVENT_ID} characters.", "event_id"
        )
    return event_id


def decode_audio(audio: Any, param: str, limit: int) -> bytes:
    """Base64 to bytes.

    Raises:
        ProtocolError: it is missing, no string, no base64, or more than `limit` bytes of sound.
    """
    if audio is None:
        raise ProtocolError("missing_required_parameter", f"Missing required parameter: '{param}'.", param)
    if not isinstance(audio, str):
        raise ProtocolError("invalid_type", f"Invalid type for '{param}': expected a base64 string.", param)
    if len(audio) > limit * 4 // 3 + 4:
        raise ProtocolError(
            "invalid_value",
            f"'{param}' holds more than {limit} bytes of sound; send it in smaller parts.",
            param,
        )
    try:
        return pybase64.b64decode(audio, validate=True)
    except ValueError:
        raise ProtocolError(
            "invalid_value",
            f"Invalid '{param}'. Expected base64-encoded audio bytes in the session's input format.",
            param,
        ) from None
