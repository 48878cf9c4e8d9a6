"""What the parts of a session make events with."""

from __future__ import annotations

from collections.abc import Callable

from realtime.session.effects import Send

Make = Callable[..., Send]
"""Makes an event from its type and fields, with an id."""
