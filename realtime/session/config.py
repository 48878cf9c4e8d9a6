"""What the server decides for every session it opens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

DEFAULT_INSTRUCTIONS = (
    "You are Chroma, an advanced virtual human created by FlashLabs. You perceive auditory inputs and"
    " generate both text and speech. Answer in English, in a natural spoken style, in under 88 words."
)
"""The model card's example asks for this persona, the official server's notebook for short answers."""


class Meter(Protocol):
    """What a key has left to spend, shared by all sessions under it."""

    def refusal(self) -> str | None:
        """Why no answer can be started now; None where one can."""
        ...

    def spend(self, tokens: int) -> None: ...

    def state(self) -> list[dict[str, Any]]:
        """The entries of `rate_limits.updated`."""
        ...


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Defaults and limits of a session.

    `initial`: the `session` that a client secret was made for. `voices`: installed names, the default one
    first. `transcriber`: a model beside the engine that clients may name for input transcription.
    `server_plays`: sound goes to a player that the server follows (WebRTC), not to the client as events.
    `max_idle_s`: without an event of the client's or an answer; 0: no limit. `max_buffer_s`: uncommitted
    sound. `max_audio_s`: sound that is kept of the conversation. `max_responses`: answers that run at once,
    out of band included.
    `min_speech_ms`: how long speech must last before it starts a turn, so that a click does not cut an
    answer off.
    `early_answers`: an answer is begun when a turn may be over, before it is known to be: never, wherever the
    engine has room for it, or always.
    """

    model: str
    type: Literal["realtime", "transcription"] = "realtime"
    initial: dict[str, Any] | None = None
    voices: tuple[str, ...] = ()
    instructions: str = DEFAULT_INSTRUCTIONS
    transcriber: str | None = None
    meter: Meter | None = None
    server_plays: bool = False
    max_session_s: int = 3600
    max_idle_s: float = 0.0
    max_buffer_s: float = 600.0
    max_append_bytes: int = 15 * 1024 * 1024
    max_items: int = 1000
    max_audio_s: float = 1200.0
    max_responses: int = 8
    min_speech_ms: int = 64
    early_answers: Literal["off", "auto", "on"] = "off"
