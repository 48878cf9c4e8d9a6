"""The log of one session: ids and outcomes, and never what was said, unless that is asked for.

An error's message may hold what a client sent, so it counts as content too.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any, Literal

import orjson

from engine.logs import FIELDS
from realtime.session.effects import SendAudio

LogEvents = Literal["off", "ids", "all"]
log = logging.getLogger("chroma_realtime.session")
events_log = logging.getLogger("chroma_realtime.events")

_NAME = re.compile(r"[A-Za-z0-9_.\[\]-]{1,80}")
_IDS = ("event_id", "response_id", "item_id", "call_id", "previous_item_id")


def name_of(value: object) -> str:
    """An id or a type as it is logged; what a client put in its place is not."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else "invalid"


class SessionLog:
    """Writes lines about one session.

    Args:
        events: a line for each event of the protocol, both ways: `off`, `ids` (its type and ids), `all` (the
            whole event as `event`, sound and words included).
    """

    def __init__(self, session_id: str, events: LogEvents) -> None:
        self._session = {"session_id": session_id}
        self._events = events

    def told(self, what: str, **fields: Any) -> None:
        """Something happened to the session; fields that are None are left out."""
        there = {name: value for name, value in fields.items() if value is not None}
        log.info(what, extra={FIELDS: {**self._session, **there}})

    def sent(self, event: Mapping[str, Any]) -> None:
        """An event for the client."""
        if self._events != "off":
            self._event("sent", event)

    def sent_sound(self, effect: SendAudio) -> None:
        """Sound for the client."""
        if self._events != "off":
            fields = {
                "event_id": effect.event_id,
                "response_id": effect.response_id,
                "item_id": effect.item_id,
                "bytes": len(effect.sound),
            }
            self._write("sent", "response.output_audio.delta", fields)

    def received(self, frame: str | bytes) -> None:
        """A frame of the client, whatever it holds."""
        if self._events == "off":
            return
        try:
            event = orjson.loads(frame)
        except orjson.JSONDecodeError:
            event = None
        if isinstance(event, dict):
            self._event("received", event)
        else:
            self._write("received", "invalid", {"bytes": len(frame)})

    def _event(self, direction: str, event: Mapping[str, Any]) -> None:
        fields: dict[str, Any] = {name: name_of(event[name]) for name in _IDS if event.get(name) is not None}
        response = event.get("response")
        if isinstance(response, dict):
            there = {"response_id": response.get("id"), "status": response.get("status")}
            fields |= {name: name_of(value) for name, value in there.items() if value is not None}
        if self._events == "all":
            fields["event"] = event
        self._write(direction, name_of(event.get("type")), fields)

    def _write(self, direction: str, kind: str, fields: Mapping[str, Any]) -> None:
        events_log.info(direction, extra={FIELDS: {"type": kind, **self._session, **fields}})
