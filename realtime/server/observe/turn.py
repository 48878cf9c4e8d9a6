"""When each step of a turn and its answer was."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine import SAMPLE_RATE
from realtime.server.playback import PlaybackClock


@dataclass
class Turn:
    """One turn and its answer: when each step was, in seconds on one clock; None: it was not, or nobody
    knows.

    Attributes:
        begun: `response.created` was sent.
        speech_end: the last sound of the user's speech came.
        asked: the engine was asked for the answer, which may be before the turn was known to be over.
        first_pair, first_frame: the engine's first word, and its first sound.
        first_delta: the first sound had been sent.
        status: how the response ended; None: it has not.
        sound_rate: bytes a second of what is sent.
    """

    response_id: str
    begun: float
    speech_end: float | None = None
    committed: float | None = None
    asked: float | None = None
    first_pair: float | None = None
    first_frame: float | None = None
    first_delta: float | None = None
    status: str | None = None
    sound_rate: int = 2 * SAMPLE_RATE
    sound_bytes: int = 0
    played: PlaybackClock = field(default_factory=PlaybackClock)
    gaps: list[float] = field(default_factory=list)

    @property
    def sound_s(self) -> float:
        """Seconds of sound that were sent."""
        return self.sound_bytes / self.sound_rate

    def until_first_delta(self, begin: float | None) -> float | None:
        """Seconds from a step to the first sound; 0 where the sound was there before."""
        if begin is None or self.first_delta is None:
            return None
        return max(0.0, self.first_delta - begin)


@dataclass(slots=True)
class Made:
    """What the engine did for an answer, and when."""

    asked: float
    pair: float | None = None
    frame: float | None = None
