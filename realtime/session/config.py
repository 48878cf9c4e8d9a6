"""What the server decides for every session it opens."""

from __future__ import annotations

from dataclasses import dataclass

DEFAULT_INSTRUCTIONS = (
    "You are Chroma, an advanced virtual human created by FlashLabs. You perceive auditory inputs and"
    " generate both text and speech. Answer in English, in a natural spoken style, in under 88 words."
)
"""The model card's example asks for this persona, the official server's notebook for short answers."""


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """Defaults and limits of a session.

    `voices`: installed names, the default one first. `max_buffer_s`: uncommitted sound. `min_speech_ms`:
    how long speech must last before it starts a turn, so that a click does not cut an answer off.
    """

    model: str
    voices: tuple[str, ...] = ()
    instructions: str = DEFAULT_INSTRUCTIONS
    max_session_s: int = 3600
    max_buffer_s: float = 600.0
    max_append_bytes: int = 15 * 1024 * 1024
    max_items: int = 1000
    min_speech_ms: int = 64
