"""The life of one input transcription, pure: what the engine did in, what is to be shown out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from engine import Event, Finished, TextDelta, Usage


@dataclass(frozen=True, slots=True)
class ShowText:
    """More words."""

    text: str


@dataclass(frozen=True, slots=True)
class Complete:
    """All words are there."""

    transcript: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class Fail:
    """There will be none."""

    code: str
    message: str


Step = ShowText | Complete | Fail


@dataclass(frozen=True, slots=True)
class TranscriptionState:
    """Where a transcription stands."""

    text: str = ""
    status: Literal["running", "completed", "failed"] = "running"


def next_state(state: TranscriptionState, event: Event) -> tuple[TranscriptionState, Step | None]:
    """What the engine did, and what to show of it. Nothing comes after the end."""
    if state.status != "running":
        return state, None
    if isinstance(event, TextDelta) and event.text:
        return replace(state, text=state.text + event.text), ShowText(event.text)
    if not isinstance(event, Finished):
        return state, None
    if event.reason in ("completed", "length"):
        return replace(state, status="completed"), Complete(state.text, event.usage)
    code = event.code or "transcription_failed"
    message = event.message or "The sound could not be transcribed."
    return replace(state, status="failed"), Fail(code, message)
