"""What the operator may set about the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from realtime.server.limit_settings import Limits


@dataclass(frozen=True, slots=True)
class ServerSettings(Limits):
    """Where to listen, who may come in, and how much to take (see `Limits`).

    `stun`: URL of a STUN server for calls from outside. `audio_folder`: the one folder whose files a request
    may name; None: no path is opened. `keys_file` and `secret_file`: who may come in, see
    `realtime.server.keys` and `client_secrets`. `open`: anybody who reaches the server may. `origins`: of
    which sites the pages may come in, see `realtime.server.origins`. `watermark`: `module:function` that
    marks outgoing sound, see `realtime.server.watermark`.
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
    origins: tuple[str, ...] = ()
    early_answers: Literal["off", "auto", "on"] = "auto"
    voices_dir: Path | None = None
    audio_folder: Path | None = None
    stun: str | None = None
    watermark: str | None = None
    tick_s: float = 1.0
    log_events: Literal["off", "ids", "all"] = "off"
    traces: bool = False
    record: Path | None = None
