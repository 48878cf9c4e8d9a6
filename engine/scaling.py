"""When a fleet of engines grows, and when it shrinks: a rule, and nothing that it acts upon.

It goes by speaking sessions, which is to say by answers that are being made: a session that listens costs an
engine next to nothing. The caller brings the time and what there is, and does what it is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

FULL = 0.8
"""The share of the room that is taken when another engine is started: it needs a while until it serves."""
SPARE = 0.5
"""The share of the others' room that all answers have to fit into before an engine counts as one too many.
Below `FULL`, so that an engine which has just gone is not wanted again at once."""
RETRY_S = 30.0
"""After an engine could not be started none is tried again for so long."""


class Phase(Enum):
    """What an engine of the fleet is about."""

    OFF = "off"
    STARTING = "starting"
    """It is being started, for the first time or because its process died."""
    SERVING = "serving"
    DRAINING = "draining"
    """It makes the answers that it has begun, and is given no more."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the rule has to know of one engine: answers that it makes, and how many it can make at once."""

    phase: Phase
    running: int
    room: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """How few engines, how many at most, and how long one has to be spare before it goes."""

    least: int
    most: int
    idle_s: float


class Move(Enum):
    """What is to be done with an engine."""

    START = "start"
    KEEP = "keep"
    """It was draining, and is wanted after all."""
    DRAIN = "drain"
    """Give it no more answers; one that does not serve yet need not begin to."""
    END = "end"


class Scaling:
    """The rule, and what it remembers: since when one engine has been too many."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._spare_since: float | None = None
        self._no_start_until = float("-inf")

    def failed(self, now: float) -> None:
        """An engine could not be started."""
        self._no_start_until = now + RETRY_S

    def moves(self, places: Sequence[Place], now: float) -> list[tuple[Move, int]]:
        """What is to be done now, by the engine's index in `places`."""
        ended = [
            (Move.END, index)
            for index, place in enumerate(places)
            if place.phase is Phase.DRAINING and not place.running
        ]
        grown = self._grown(places, now, [index for _, index in ended])
        if grown:
            self._spare_since = None
            return ended + grown
        return ended + self._shrunk(places, now)

    def _grown(self, places: Sequence[Place], now: float, ended: list[int]) -> list[tuple[Move, int]]:
        wanted = _wanted(places)
        count, room = len(wanted), sum(places[index].room for index in wanted)
        # One that still drains is there at once; one that was off is not.
        candidates = [
            (Move.KEEP, index)
            for index, place in enumerate(places)
            if place.phase is Phase.DRAINING and index not in ended
        ]
        if now >= self._no_start_until:
            candidates += [
                (Move.START, index) for index, place in enumerate(places) if place.phase is Phase.OFF
            ]
        running = sum(place.running for place in places)
        moves = []
        for move, index in candidates:
            if count >= self._bounds.most or running < FULL * room:
                break
            moves.append((move, index))
            count += 1
            room += places[index].room
        return moves

    def _shrunk(self, places: Sequence[Place], now: float) -> list[tuple[Move, int]]:
        wanted = _wanted(places)
        # One that does not serve yet goes first, then the one with least to finish.
        one = min(
            wanted,
            key=lambda index: (places[index].phase is Phase.SERVING, places[index].running, -index),
            default=None,
        )
        running = sum(place.running for place in places)
        rest = sum(places[index].room for index in wanted if index != one)
        if one is None or len(wanted) <= self._bounds.least or running > SPARE * rest:
            self._spare_since = None
            return []
        if self._spare_since is None:
            self._spare_since = now
        if now - self._spare_since < self._bounds.idle_s:
            return []
        self._spare_since = None
        return [(Move.DRAIN, one)]


def _wanted(places: Sequence[Place]) -> list[int]:
    """Those that take answers, or soon will."""
    return [index for index, place in enumerate(places) if place.phase in (Phase.STARTING, Phase.SERVING)]
