"""The idle timeout: how long after an answer was heard the user may say nothing. A pure life cycle."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer is made, and will have been heard at `heard_at` (unix seconds)."""

    heard_at: float


@dataclass(frozen=True, slots=True)
class Stirred:
    """Somebody speaks or is answered."""


@dataclass(frozen=True, slots=True)
class Passed:
    """It is `now` (unix seconds)."""

    now: float


@dataclass(frozen=True, slots=True)
class IdleState:
    """`heard_at`: the last answer is, or will be, at its end. None: nobody is waited for."""

    heard_at: float | None = None


def next_state(
    state: IdleState, happening: Answered | Stirred | Passed, timeout_ms: int | None
) -> tuple[IdleState, bool]:
    """The next state, and whether the timeout has come: once for each answer."""
    if isinstance(happening, Answered):
        return IdleState(happening.heard_at), False
    if isinstance(happening, Stirred):
        return IdleState(), False
    if state.heard_at is None or timeout_ms is None or happening.now < state.heard_at + timeout_ms / 1000:
        return state, False
    return IdleState(), True
