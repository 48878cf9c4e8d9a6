"""What the parts of a session make events with."""

from __future__ import annotations

from collections.abc import Callable

from realtime.protocol.errors import ProtocolError
from realtime.session.effects import Send

Make = Callable[..., Send]
"""Makes an event from its type and fields, with an id."""


def error_event(make: Make, error: ProtocolError, client_event_id: str | None = None) -> Send:
    """The `error` event of this error; `client_event_id`: of the event that it answers."""
    return make("error", error=error.body(client_event_id))
