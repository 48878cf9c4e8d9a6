"""When a client speaks."""

from __future__ import annotations

from typing import Protocol


class Plan(Protocol):
    """Says when to ask. All times are seconds on the client's clock."""

    def due(self, now: float) -> bool:
        """Is a question to be asked now? Asked only while nothing is being said; yes begins one."""

    def first_sound(self, now: float) -> None:
        """The first sound of an answer came."""

    def unheard(self, now: float) -> None:
        """An answer ended without any sound."""


class Dialogue:
    """A closed loop: the next question is asked some seconds after the first sound of an answer, which it
    interrupts."""

    def __init__(self, listens: float) -> None:
        self._listens = listens
        self._next: float | None = 0.0

    def due(self, now: float) -> bool:
        if self._next is None or now < self._next:
            return False
        self._next = None
        return True

    def first_sound(self, now: float) -> None:
        self._next = now + self._listens

    def unheard(self, now: float) -> None:
        self._next = now


class Timetable:
    """An open loop: a question every so many seconds, whether or not the server keeps up. A time that has
    passed while something was being said is left out. Each nth answer is interrupted: that is a question in
    place of the next one.

    Args:
        first: when the first question is asked.
        every: seconds from one question to the next.
        interrupts: n; 0: none is interrupted.
        after: seconds from its first sound to its interruption.
    """

    def __init__(self, first: float, every: float, *, interrupts: int = 0, after: float = 1.0) -> None:
        self._next, self._every = first, every
        self._interrupts, self._after = interrupts, after
        self._sounded = 0
        self._barge_in: float | None = None

    def due(self, now: float) -> bool:
        if self._barge_in is not None and now >= self._barge_in:
            self._barge_in = None
            self._next += self._every
            return True
        if now < self._next:
            return False
        while self._next <= now:
            self._next += self._every
        self._barge_in = None
        return True

    def first_sound(self, now: float) -> None:
        self._sounded += 1
        if self._interrupts and self._sounded % self._interrupts == 0:
            self._barge_in = now + self._after

    def unheard(self, now: float) -> None:
        """The next question comes at its own time."""
