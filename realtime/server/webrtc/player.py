"""The outgoing track of a call: answers at the pace at which they are heard, silence between them."""

from __future__ import annotations

import asyncio
import fractions
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame

from engine import SAMPLE_RATE
from realtime.session.effects import SendAudio

_SAMPLES = SAMPLE_RATE // 50
"""20 ms, what a packet carries."""
_BYTES_PER_MS = 2 * SAMPLE_RATE // 1000


def _nobody(*_: object) -> None:
    """Whom a stopped track tells."""


@dataclass(slots=True)
class _Spoken:
    """One response's sound: what waits, and how much has left."""

    item_id: str
    content_index: int
    waiting: bytearray = field(default_factory=bytearray)
    played: int = 0
    whole: bool = False


class PlayerTrack(MediaStreamTrack):
    """Plays one response after another.

    Args:
        started, stopped: told the response of which the first, or all, has left.
        cleared: told the response, its item, its content index and the ms that had left when the rest was
            dropped.
    """

    kind = "audio"

    def __init__(
        self,
        started: Callable[[str], None],
        stopped: Callable[[str], None],
        cleared: Callable[[str, str, int, int], None],
    ) -> None:
        super().__init__()
        self._tell_started, self._tell_stopped, self._tell_cleared = started, stopped, cleared
        self._responses: dict[str, _Spoken] = {}
        self._dropped: set[str] = set()
        self._sent = 0
        self._begun: float | None = None

    def stop(self) -> None:
        super().stop()
        # aiortc keeps the track for long, and those who were told hold a session.
        self._tell_started = self._tell_stopped = self._tell_cleared = _nobody

    def play(self, effect: SendAudio) -> None:
        """More sound, PCM16 at 24 kHz."""
        if effect.response_id in self._dropped:
            return
        spoken = self._responses.setdefault(effect.response_id, _Spoken(effect.item_id, effect.content_index))
        spoken.waiting += effect.sound

    def end(self, response_id: str) -> None:
        """No more of this response comes."""
        self._dropped.discard(response_id)
        if spoken := self._responses.get(response_id):
            spoken.whole = True

    def clear(self) -> None:
        """Drop what has not left, of the response that is played and of those that wait behind it, and
        whatever of them may still come."""
        dropped, self._responses = self._responses, {}
        for response_id, spoken in dropped.items():
            if not spoken.whole:
                self._dropped.add(response_id)
            played_ms = spoken.played // _BYTES_PER_MS
            self._tell_cleared(response_id, spoken.item_id, spoken.content_index, played_ms)

    async def recv(self) -> AudioFrame:
        """The next 20 ms, when they are due."""
        if self.readyState != "live":
            raise MediaStreamError
        if self._begun is None:
            self._begun = time.monotonic()
        await asyncio.sleep(max(0.0, self._begun + self._sent / SAMPLE_RATE - time.monotonic()))
        frame = AudioFrame(format="s16", layout="mono", samples=_SAMPLES)
        frame.planes[0].update(self._take())
        frame.pts, frame.sample_rate = self._sent, SAMPLE_RATE
        frame.time_base = fractions.Fraction(1, SAMPLE_RATE)
        self._sent += _SAMPLES
        return frame

    def _take(self) -> bytes:
        size = 2 * _SAMPLES
        response_id, spoken = next(iter(self._responses.items()), ("", None))
        if spoken is None:
            return bytes(size)
        if spoken.waiting and not spoken.played:
            self._tell_started(response_id)
        sound = bytes(spoken.waiting[:size])
        del spoken.waiting[:size]
        spoken.played += len(sound)
        if spoken.whole and not spoken.waiting:
            del self._responses[response_id]
            self._tell_stopped(response_id)
        return sound.ljust(size, b"\0")
