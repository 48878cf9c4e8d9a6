"""Watches one session from outside: when each step of a turn happened, and what is to be counted of it."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine import SAMPLE_RATE, AudioDelta, Event, TextDelta
from realtime.audio.formats import bytes_per_ms
from realtime.server.observe.observers import Observers
from realtime.server.observe.session_log import SessionLog, name_of
from realtime.server.observe.turn import Made, Turn
from realtime.session.effects import SendAudio
from realtime.session.session import Session

_STEP = SAMPLE_RATE // 50
"""When sound came is kept for every so many samples."""
_COUNT = SAMPLE_RATE // 25
"""Samples that the metrics are told of at a time."""
_KEPT = 600
"""So many times are kept: the longest silence that ends a turn is shorter."""


_KEPT_ANSWERS = 32


@dataclass(frozen=True, slots=True)
class FirstSound:
    """Stands in what waits to be sent, behind the first sound of an answer."""

    turn: Turn


class Watch:
    """Sees all that a connection takes, sends and asks. Its methods return at once.

    Args:
        clock: seconds, of any beginning.
    """

    def __init__(
        self, session: Session, observers: Observers, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._session, self._clock = session, clock
        self._metrics, self._traces = observers.metrics, observers.traces
        self._log = SessionLog(session.id, observers.log_events)
        self._opened = clock()
        self._answers = 0
        self._came: deque[tuple[int, float]] = deque(maxlen=_KEPT)
        self._appended = self._counted = 0
        self._speech_end: float | None = None
        self._committed: float | None = None
        self._turns: dict[str, Turn] = {}
        self._made: dict[str, Made] = {}

    def opened(self) -> None:
        """The session begins."""
        self._log.told("session opened")

    def closed(self) -> None:
        """The session is over."""
        for turn in list(self._turns.values()):
            self._over(turn)
        self._count(self._session.appended)
        self._log.told(
            "session closed", seconds=round(self._clock() - self._opened, 3), answers=self._answers
        )

    def received(self, frame: str | bytes | None = None) -> None:
        """A frame was taken; None: sound that came beside the frames."""
        if frame is not None:
            self._log.received(frame)
        appended = self._session.appended
        if appended - self._appended < _STEP:
            return
        self._came.append((appended, self._clock()))
        self._appended = appended
        if appended - self._counted >= _COUNT:
            self._count(appended)

    def _count(self, appended: int) -> None:
        """Tell the metrics of the sound that came since the last time."""
        self._metrics.sound_in((appended - self._counted) / SAMPLE_RATE)
        self._counted = appended

    def event(self, event: dict[str, Any]) -> None:
        """An event is about to be sent."""
        self._log.sent(event)
        kind = _KINDS.get(event["type"])
        if kind is not None:
            kind(self, event)

    def sound(self, effect: SendAudio) -> FirstSound | None:
        """Sound is about to be sent. Returns what is to be sent after it, to come back to `sent`."""
        self._log.sent_sound(effect)
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
        turn.first_delta = self._clock()
        for since, begin in (
            ("speech_end", turn.speech_end),
            ("commit", turn.committed),
            ("response", turn.begun),
        ):
            if (wait := turn.until_first_delta(begin)) is not None:
                self._metrics.first_audio.labels(since).observe(wait)
        if turn.status is not None:
            self._over(turn)

    def asked(self, request_id: str) -> None:
        """The engine is asked for an answer."""
        # An early answer may be over before its turn is, or be thrown away: the last ones are kept.
        if len(self._made) >= _KEPT_ANSWERS:
            del self._made[next(iter(self._made))]
        self._made[request_id] = Made(self._clock())

    def engine(self, request_id: str, event: Event) -> None:
        """The engine did something for an answer."""
        made = self._made.get(request_id)
        if made is None:
            return
        if isinstance(event, AudioDelta) and made.frame is None:
            made.frame = self._clock()
        elif isinstance(event, TextDelta) and made.pair is None:
            made.pair = self._clock()

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
        turn = self._turns[response["id"]]
        turn.status = response["status"]
        if error := (response["status_details"] or {}).get("error"):
            self._metrics.errors.labels("response", error["code"]).inc()
            self._log.told("response failed", response_id=turn.response_id, code=error["code"])
        if turn.played.first is None or turn.first_delta is not None:
            self._over(turn)

    def _over(self, turn: Turn) -> None:
        """All that is to be known of a turn is known. It has no status where its session ended first."""
        if self._turns.pop(turn.response_id, None) is None:
            return
        turn.status = turn.status or "cancelled"
        if made := self._made.get(turn.response_id):
            turn.asked, turn.first_pair, turn.first_frame = made.asked, made.pair, made.frame
        self._metrics.responses.labels("realtime", turn.status).inc()
        self._metrics.sound_out(turn.sound_s)
        for gap in turn.gaps:
            self._metrics.gaps.observe(gap)
        self._answers += 1
        now = self._clock()
        self._log.told(
            "response done",
            response_id=turn.response_id,
            status=turn.status,
            after_speech_ms=_ms(turn.until_first_delta(turn.speech_end)),
            after_commit_ms=_ms(turn.until_first_delta(turn.committed)),
            sound_s=round(turn.sound_s, 2),
            gaps=len(turn.gaps),
        )
        if self._traces:
            self._traces.turn(self._session.id, turn, now)

    def _error(self, event: dict[str, Any]) -> None:
        error = event["error"]
        self._metrics.errors.labels("event", error["code"]).inc()
        param = None if error["param"] is None else name_of(error["param"])
        self._log.told("error told", event_id=event["event_id"], code=error["code"], param=param)


# Of no watch: one that held methods of its own would hold itself, and its session, for ever.
_KINDS: dict[str, Callable[[Watch, dict[str, Any]], None]] = {
    "input_audio_buffer.speech_stopped": Watch._speech_stopped,
    "input_audio_buffer.committed": Watch._commit,
    "response.created": Watch._begin,
    "response.done": Watch._end,
    "error": Watch._error,
}


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)
