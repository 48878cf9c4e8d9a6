"""What the parts of a session make events with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from realtime.protocol.errors import ProtocolError
from realtime.protocol.ids import Ids
from realtime.session.effects import Send

Make = Callable[..., Send]
"""Makes an event from its type and fields, with an id."""


def maker(new_id: Ids) -> Make:
    """What makes a session's events. It knows nothing of the session, whose parts hold it: they would hold
    one another for ever."""

    def make(kind: str, **fields: Any) -> Send:
        return Send({"type": kind, "event_id": new_id("event"), **fields})

    return make


def error_event(make: Make, error: ProtocolError, client_event_id: str | None = None) -> Send:
    """The `error` event of this error; `client_event_id`: of the event that it answers."""
    return make("error", error=error.body(client_event_id))
