"""Watches one session from outside: when each step of a turn happened, and what is to be counted of it."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from engine import SAMPLE_RATE, AudioDelta, Event, TextDelta
from realtime.audio.formats import bytes_per_ms
from realtime.server.observe.metrics import Metrics
from realtime.server.playback import PlaybackClock
from realtime.session.effects import SendAudio
from realtime.session.session import Session

_STEP = SAMPLE_RATE // 50
"""When sound came is kept for every so many samples."""
_KEPT = 600
"""So many times are kept: the longest silence that ends a turn is shorter."""


@dataclass
class Turn:
    """One turn and its answer: when each step was, in seconds on the watch's clock; None: it was not, or
    nobody knows. `speech_end` is when the last sound of the user's speech came, `first_pair` the engine's
    first word, `first_frame` its first sound, `first_delta` when that had been sent."""

    response_id: str
    begun: float
    speech_end: float | None = None
    committed: float | None = None
    first_pair: float | None = None
    first_frame: float | None = None
    first_delta: float | None = None
    sound_rate: int = 2 * SAMPLE_RATE
    """Bytes a second of what is sent."""
    sound_bytes: int = 0
    played: PlaybackClock = field(default_factory=PlaybackClock)
    gaps: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class FirstSound:
    """Stands in what waits to be sent, behind the first sound of an answer."""

    turn: Turn


@dataclass(slots=True)
class _Made:
    """When the engine made the first word and the first sound of an answer, which may be before its turn is
    known to be over."""

    pair: float | None = None
    frame: float | None = None


class Watch:
    """Sees all that a connection takes and sends. Its methods return at once.

    Args:
        clock: seconds, of any beginning.
    """

    def __init__(
        self, session: Session, metrics: Metrics, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._session, self._metrics, self._clock = session, metrics, clock
        self._came: deque[tuple[int, float]] = deque(maxlen=_KEPT)
        self._appended = 0
        self._speech_end: float | None = None
        self._committed: float | None = None
        self._turns: dict[str, Turn] = {}
        self._made: dict[str, _Made] = {}
        self._kinds: dict[str, Callable[[dict[str, Any]], None]] = {
            "input_audio_buffer.speech_stopped": self._speech_stopped,
            "input_audio_buffer.committed": self._commit,
            "response.created": self._begin,
            "response.done": self._end,
            "error": self._error,
        }
        self._first_audio = {
            since: metrics.first_audio.labels(since) for since in ("speech_end", "commit", "response")
        }

    def received(self) -> None:
        """A frame was taken."""
        appended = self._session.appended
        if appended - self._appended >= _STEP:
            self._metrics.audio.labels("in").inc((appended - self._appended) / SAMPLE_RATE)
            self._came.append((appended, self._clock()))
            self._appended = appended

    def event(self, event: dict[str, Any]) -> None:
        """An event is about to be sent."""
        kind = self._kinds.get(event["type"])
        if kind is not None:
            kind(event)

    def sound(self, effect: SendAudio) -> FirstSound | None:
        """Sound is about to be sent. Returns what is to be sent after it, to come back to `sent`."""
        turn = self._turns.get(effect.response_id)
        if turn is None:
            return None
        first = turn.played.first is None
        turn.sound_bytes += len(effect.sound)
        if gap := turn.played.add(self._clock(), len(effect.sound) / turn.sound_rate):
            turn.gaps.append(gap)
        return FirstSound(turn) if first else None

    def sent(self, first: FirstSound) -> None:
        """The first sound of an answer has left."""
        turn = first.turn
        turn.first_delta = now = self._clock()
        for since, begin in (
            ("speech_end", turn.speech_end),
            ("commit", turn.committed),
            ("response", turn.begun),
        ):
            if begin is not None:
                self._first_audio[since].observe(max(0.0, now - begin))

    def engine(self, request_id: str, event: Event) -> None:
        """The engine did something for an answer."""
        if isinstance(event, AudioDelta):
            made = self._made.setdefault(request_id, _Made())
            if made.frame is None:
                made.frame = self._clock()
        elif isinstance(event, TextDelta):
            made = self._made.setdefault(request_id, _Made())
            if made.pair is None:
                made.pair = self._clock()

    def answered(self, request_id: str) -> None:
        """The engine does no more for an answer."""
        self._made.pop(request_id, None)

    def _speech_stopped(self, event: dict[str, Any]) -> None:
        position = self._session.speech_end
        self._speech_end = None if position is None else self._when(position)

    def _when(self, position: int) -> float | None:
        """When the sound at this position came."""
        index = bisect_left(self._came, (position, 0.0))
        return self._came[index][1] if index < len(self._came) else None

    def _commit(self, event: dict[str, Any]) -> None:
        self._committed = self._clock()

    def _begin(self, event: dict[str, Any]) -> None:
        response = event["response"]
        turn = Turn(response["id"], self._clock())
        turn.sound_rate = 1000 * bytes_per_ms(response["audio"]["output"]["format"]["type"])
        if response["conversation_id"] is not None:
            # What was said since the answer before is what this one answers.
            turn.speech_end, turn.committed = self._speech_end, self._committed
            self._speech_end = self._committed = None
        self._turns[turn.response_id] = turn

    def _end(self, event: dict[str, Any]) -> None:
        response = event["response"]
        turn = self._turns.pop(response["id"])
        made = self._made.get(turn.response_id, _Made())
        turn.first_pair, turn.first_frame = made.pair, made.frame
        metrics = self._metrics
        metrics.responses.labels("realtime", response["status"]).inc()
        metrics.audio.labels("out").inc(turn.sound_bytes / turn.sound_rate)
        for gap in turn.gaps:
            metrics.gaps.observe(gap)
        if error := (response["status_details"] or {}).get("error"):
            metrics.errors.labels("response", error["code"]).inc()

    def _error(self, event: dict[str, Any]) -> None:
        self._metrics.errors.labels("event", event["error"]["code"]).inc()
