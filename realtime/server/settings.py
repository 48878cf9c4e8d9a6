"""What the operator may set about the gateway. Limits each have an error of their own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where to listen, and how much to take.

    `stun`: URL of a STUN server for calls from outside. `audio_folder`: the one folder whose files a request
    may name; None: no path is opened. `max_body_bytes` and `max_upload_s`: what a request over HTTP may hold,
    as bytes and as seconds of sound.
    `max_unsent_bytes`: what may wait for a client that reads more slowly than it is spoken to; more than
    the longest answer, which is made faster than it plays. `max_unheard_s`: a client whose sound waits
    that long for voice activity detection is not read until it has been heard. `stalled_s`: a client
    whose network takes nothing for so long is gone. `keys_file` and `secret_file`: who may come in, see
    `realtime.server.keys` and `client_secrets`. `open`: anybody who reaches the server may.
    `log_events`: log each event of the protocol: never, by its type and ids, or whole. `traces`: send a trace
    of each turn to an OpenTelemetry collector. `record`: folder in which sessions are recorded; None: none.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    keys_file: Path | None = None
    secret_file: Path | None = None
    open: bool = False
    max_sessions: int = 256
    max_session_s: int = 3600
    early_answers: Literal["off", "auto", "on"] = "auto"
    voices_dir: Path | None = None
    audio_folder: Path | None = None
    stun: str | None = None
    max_body_bytes: int = 32 * 1024 * 1024
    max_upload_s: float = 600.0
    max_frame_bytes: int = 24 * 1024 * 1024
    max_unsent_bytes: int = 16 * 1024 * 1024
    max_unheard_s: float = 60.0
    stalled_s: float = 60.0
    tick_s: float = 1.0
    log_events: Literal["off", "ids", "all"] = "off"
    traces: bool = False
    record: Path | None = None
