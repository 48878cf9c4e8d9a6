"""An answer begun before its turn is over: kept to itself until it is, thrown away if it is not."""

from __future__ import annotations

from dataclasses import replace

from engine import Audio, Event, Finished, Message, Part, Request
from realtime.session.effects import Cancel, Effect, Start

Silence = tuple[str, int]
"""The item id of the turn that is being spoken, and where in the session's sound its silence began."""


class EarlyAnswer:
    """At most one, to what was said before a silence. `silence`: the last in which one was begun."""

    def __init__(self) -> None:
        self.silence: Silence | None = None
        self._request: Request | None = None
        self._events: list[Event] = []

    def begin(self, silence: Silence, request: Request) -> list[Effect]:
        """Begin one; whatever the engine does for it goes to `keep`."""
        self.silence, self._request, self._events = silence, request, []
        return [Start(request)]

    def leave(self, silence: Silence | None) -> list[Effect]:
        """It is this silence now, or none: an answer that was begun in another is thrown away."""
        if silence == self.silence:
            return []
        begun, self.silence, self._request = self._request, None, None
        return [Cancel(begun.id)] if begun else []

    def owns(self, request_id: str) -> bool:
        """This is the answer that was begun."""
        return self._request is not None and self._request.id == request_id

    def keep(self, event: Event) -> None:
        """The engine did something for it. One that fails, or that there is no room for, was never begun."""
        self._events.append(event)
        if isinstance(event, Finished) and event.reason not in ("completed", "length"):
            self._request = None

    def take(self, request: Request) -> tuple[str, list[Event]] | None:
        """The turn is over. Returns the id of the answer that was begun, and what the engine did for it so
        far, where this is the very answer that is wanted now; from now on it is the caller's. One that the
        engine has not begun may be refused yet: it is left."""
        begun = self._request
        if begun is None or not self._events or _asked(begun) != _asked(request):
            return None
        self._request = None
        return begun.id, self._events


def _asked(request: Request) -> Request:
    """What is asked, whatever the request is called. A turn's sound ends sooner in the early request: what
    was said in it is the same."""

    def named(part: Part) -> Part:
        return Audio(part.id, b"") if isinstance(part, Audio) else part

    def light(message: Message) -> Message:
        return replace(message, parts=tuple(map(named, message.parts)))

    return replace(request, id="", only_if_room=False, messages=tuple(map(light, request.messages)))
