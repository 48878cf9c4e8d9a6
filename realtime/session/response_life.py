"""The life of one response, pure: what the engine did in, what is to be shown out.

A response has at most one message, which comes first, and calls after it. It ends once; whatever comes
after its end is nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from engine import FRAME_SAMPLES, AudioDelta, Started, TextDelta, ToolCall, Usage

Status = Literal["in_progress", "completed", "cancelled", "incomplete", "failed"]
_FRAME_BYTES = 2 * FRAME_SAMPLES


@dataclass(frozen=True, slots=True)
class End:
    """It is over, for this reason; `usage` where the engine gave the final count."""

    status: Literal["completed", "cancelled", "incomplete", "failed"]
    reason: str | None = None
    error: dict[str, str] | None = None
    usage: Usage | None = None


Happening = Started | TextDelta | AudioDelta | ToolCall | End


@dataclass(frozen=True, slots=True)
class OpenMessage:
    """The message begins."""


@dataclass(frozen=True, slots=True)
class ShowText:
    """More of its words."""

    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class ShowSound:
    """More of its sound, as the engine made it."""

    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CloseMessage:
    """The message ends; `whole`: as the model meant it. `heard_out`: what is still held back of its sound
    is to be played."""

    whole: bool
    heard_out: bool


@dataclass(frozen=True, slots=True)
class ShowCall:
    """A call, all of it."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class Finish:
    """The response ends."""

    end: End


Step = OpenMessage | ShowText | ShowSound | CloseMessage | ShowCall | Finish


@dataclass(frozen=True, slots=True)
class ResponseState:
    """Where a response stands.

    `spoken`: its message has sound. `parallel`: it may hold several calls. `called` counts calls; those
    in `waiting` are made and come after the message that is still being spoken.
    """

    spoken: bool
    parallel: bool = True
    status: Status = "in_progress"
    usage: Usage = field(default_factory=Usage)
    sound_bytes: int = 0
    message: Literal["none", "open", "closed"] = "none"
    called: int = 0
    waiting: tuple[ToolCall, ...] = ()


def next_state(state: ResponseState, happening: Happening) -> tuple[ResponseState, tuple[Step, ...]]:
    """What happened, and what to show of it."""
    if state.status != "in_progress":
        return state, ()
    if isinstance(happening, Started):
        return replace(state, usage=happening.usage), ()
    if isinstance(happening, TextDelta):
        return _text(state, happening)
    if isinstance(happening, AudioDelta):
        return _sound(state, happening)
    if isinstance(happening, ToolCall):
        return _call(state, happening)
    return _end(state, happening)


def _text(state: ResponseState, delta: TextDelta) -> tuple[ResponseState, tuple[Step, ...]]:
    if not delta.text or state.called:
        return state, ()
    opening: tuple[Step, ...] = (OpenMessage(),) if state.message == "none" else ()
    state = replace(state, message="open", usage=_more_text(state.usage, delta.tokens))
    return state, (*opening, ShowText(delta.text, delta.tokens))


def _sound(state: ResponseState, delta: AudioDelta) -> tuple[ResponseState, tuple[Step, ...]]:
    if not delta.pcm or not state.spoken or state.message == "closed":
        return state, ()
    if state.message == "none" and state.called:
        # A message comes before the calls or not at all.
        return state, ()
    opening: tuple[Step, ...] = (OpenMessage(),) if state.message == "none" else ()
    total = state.sound_bytes + len(delta.pcm)
    usage = replace(state.usage, output_audio_tokens=-(-total // _FRAME_BYTES))
    return replace(state, message="open", sound_bytes=total, usage=usage), (*opening, ShowSound(delta.pcm))


def _call(state: ResponseState, call: ToolCall) -> tuple[ResponseState, tuple[Step, ...]]:
    state = replace(state, usage=_more_text(state.usage, call.tokens))
    if state.called and not state.parallel:
        return state, ()
    state = replace(state, called=state.called + 1)
    if state.message == "open" and state.spoken:
        # Words run ahead of sound: what is said before a call is still being spoken.
        return replace(state, waiting=(*state.waiting, call)), ()
    if state.message == "open":
        return replace(state, message="closed"), (CloseMessage(True, True), ShowCall(call))
    return state, (ShowCall(call),)


def _end(state: ResponseState, end: End) -> tuple[ResponseState, tuple[Step, ...]]:
    steps: list[Step] = []
    if state.message == "open":
        steps.append(CloseMessage(end.status == "completed", end.status in ("completed", "incomplete")))
    if end.status in ("completed", "incomplete"):
        steps += map(ShowCall, state.waiting)
    usage = Usage() if end.status == "failed" else end.usage or state.usage
    message: Literal["none", "closed"] = "none" if state.message == "none" else "closed"
    state = replace(state, status=end.status, usage=usage, message=message, waiting=())
    return state, (*steps, Finish(end))


def _more_text(usage: Usage, tokens: int) -> Usage:
    return replace(usage, output_text_tokens=usage.output_text_tokens + tokens)
