"""What a session wants done, as data. The session decides; the server carries it out in this order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from engine import Audio, Request


@dataclass(frozen=True, slots=True)
class Send:
    """One server event for the client, complete with `type` and `event_id`."""

    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SendAudio:
    """More of an answer's sound, in the format of the response: one `response.output_audio.delta`, the hot
    path, encoded by the server without a dict. Where the server plays, PCM16 at 24 kHz for its player."""

    event_id: str
    response_id: str
    item_id: str
    output_index: int
    content_index: int
    sound: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClearPlayback:
    """The player drops all that it has not played, and reports how far it came in each response by
    `Session.playback_cleared`. Only where the server plays."""


@dataclass(frozen=True, slots=True)
class Start:
    """Ask the engine for an answer; its events come back through `Session.engine(request.id, event)`.
    `transcriber`: ask the model beside it that only transcribes."""

    request: Request
    transcriber: bool = False


@dataclass(frozen=True, slots=True)
class Cancel:
    """End the answer with this request id. Whatever it still yields is dropped by the session."""

    request_id: str


class Detect(NamedTuple):
    """Listen to more sound (24 kHz PCM16). The voice-activity detector answers, in order, through
    `Session.heard(epoch, probabilities)`: one probability for each whole window of 32 ms.

    A tuple: each piece of sound makes one, and a frozen dataclass takes three times as long."""

    epoch: int
    pcm: bytes


@dataclass(frozen=True, slots=True)
class ResetDetector:
    """Forget the detector's state; windows are counted from 0 again under the new epoch, and answers
    that still carry an older epoch are dropped by the session."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Judge:
    """Somebody paused: is the turn over? `pcm` is the turn so far, at most its last seconds (24 kHz PCM16).
    The judge answers by `Session.judged(pause, probability)`, None where nobody can tell."""

    pause: int
    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listen:
    """Let the engine hear more of a sound that is still being spoken (see `Engine.listen`). Nothing comes
    back; the sound will be committed, or forgotten."""

    audio: Audio
    before: Request | None


@dataclass(frozen=True, slots=True)
class Forget:
    """These sounds have left the conversation: the engine need not keep them."""

    audio_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection with this WebSocket code and reason, after everything sent before it."""

    code: int
    reason: str


Effect = (
    Send
    | SendAudio
    | ClearPlayback
    | Start
    | Cancel
    | Detect
    | ResetDetector
    | Judge
    | Listen
    | Forget
    | Close
)
