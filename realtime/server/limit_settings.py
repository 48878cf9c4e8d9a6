"""Every limit of the gateway that an operator may set.

One table: the options of `serve` are made from it, and docs/limits.md shows it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

Number = TypeVar("Number", int, float)


def _limit(default: Number, error: str, what: str) -> Number:
    """A field of `Limits`: what it bounds, and what is told to one too many."""
    made: Any = field(default=default, metadata={"what": what, "error": error})
    return made


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is taken. Times in seconds."""

    max_sessions: int = _limit(256, "`session_limit_reached`, close 1013", "sessions at once")
    max_handshakes_per_s: float = _limit(
        100.0, "HTTP 429 `too_many_handshakes`", "new sessions a second; `max_sessions` may come at once"
    )
    max_address_handshakes_per_s: float = _limit(
        50.0, "HTTP 429 `too_many_handshakes`", "the same from one address"
    )
    max_connections: int = _limit(2048, "the connection is dropped", "TCP connections at once")
    max_head_s: float = _limit(10.0, "the connection is dropped", "until a request's head is complete")
    max_body_s: float = _limit(60.0, "HTTP 408 `request_timeout`", "until a request's body is complete")
    max_body_bytes: int = _limit(32 * 1024 * 1024, "HTTP 413 `too_large`", "body of a request over HTTP")
    max_requests: int = _limit(64, "HTTP 503 `too_many_requests`", "requests over HTTP at once")
    max_upload_s: float = _limit(600.0, "HTTP 400 `invalid_value`", "sound in a request, decoded")
    max_frame_bytes: int = _limit(24 * 1024 * 1024, "close 1009", "one WebSocket message")
    max_events_per_s: float = _limit(
        1000.0,
        "none: what comes faster is read later",
        "events of one session; twice that at once",
    )
    max_append_bytes: int = _limit(15 * 1024 * 1024, "`invalid_value`", "sound in one event")
    max_buffer_s: float = _limit(
        600.0, "`input_audio_buffer_full`", "sound that is appended and not committed yet"
    )
    max_unheard_s: float = _limit(
        60.0, "none: the client is read later", "sound that waits for voice activity detection"
    )
    max_items: int = _limit(1000, "`conversation_full`", "items of one conversation")
    max_audio_s: float = _limit(
        1200.0,
        "none: the oldest sound is let go, its transcript stays",
        "sound that is kept of one conversation",
    )
    max_responses: int = _limit(
        8, "`too_many_responses`", "answers of one session at once, out of band included"
    )
    max_session_s: int = _limit(3600, "`session_expired`, close 1001", "life of a session")
    max_idle_s: float = _limit(
        900.0, "`session_idle`, close 1001", "without an event of the client or an answer; 0: no limit"
    )
    max_unsent_bytes: int = _limit(
        16 * 1024 * 1024,
        "close 1008 `client_too_slow`",
        "events that wait for a client that is slow to read",
    )
    stalled_s: float = _limit(60.0, "the connection is dropped", "while a client's network takes nothing")
    ping_s: float = _limit(20.0, "close 1011", "between two pings, and until each is answered")
    max_voices: int = _limit(200, "HTTP 400 `voice_store_full`", "voices that clients may add")
    drain_s: float = _limit(
        20.0, "`server_stopping`, close 1001", "for running answers to end, once the server is told to stop"
    )


MAY_BE_0 = ("max_idle_s", "drain_s")


def option(name: str) -> str:
    """How a setting is spelled on the command line."""
    return f"--{name.replace('_', '-')}"


def wrong(limits: Limits) -> str | None:
    """Why these limits cannot be; None where they can."""
    for one in fields(Limits):
        value = getattr(limits, one.name)
        if not math.isfinite(value) or value < 0 or (value == 0 and one.name not in MAY_BE_0):
            least = "0 or more" if one.name in MAY_BE_0 else "more than 0"
            return f"{option(one.name)} must be a number, {least}"
    return None
