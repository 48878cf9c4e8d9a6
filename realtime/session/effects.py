"""What a session wants done, as data. The session decides; the server carries it out in this order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine import Request


@dataclass(frozen=True, slots=True)
class Send:
    """One server event for the client, complete with `type` and `event_id`."""

    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SendAudio:
    """One `response.output_audio.delta`: the hot path, encoded by the server without a dict."""

    event_id: str
    response_id: str
    item_id: str
    output_index: int
    content_index: int
    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Start:
    """Ask the engine for an answer; its events come back through `Session.engine(request.id, event)`."""

    request: Request


@dataclass(frozen=True, slots=True)
class Cancel:
    """End the answer with this request id. Whatever it still yields is dropped by the session."""

    request_id: str


@dataclass(frozen=True, slots=True)
class Detect:
    """Listen to more sound (24 kHz PCM16). The voice-activity detector answers, in order, through
    `Session.heard(epoch, probabilities)`: one probability for each whole window of 32 ms."""

    epoch: int
    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ResetDetector:
    """Forget the detector's state; windows are counted from 0 again under the new epoch, and answers
    that still carry an older epoch are dropped by the session."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Forget:
    """These sounds have left the conversation: the engine need not keep them."""

    audio_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection with this WebSocket code and reason, after everything sent before it."""

    code: int
    reason: str


Effect = Send | SendAudio | Start | Cancel | Detect | ResetDetector | Forget | Close
