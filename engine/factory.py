"""From settings to an engine."""

from __future__ import annotations

import os

from engine.api import Engine, EngineError
from engine.settings import EngineSettings

ECHO = "echo"
"""The model name that takes no model at all."""

WHISPER = "whisper:"
"""Before the name of a Whisper model, which only transcribes."""

ECHO_PACE = "CHROMA_REALTIME_ECHO_PACE"
"""Environment: echo makes sound this many times as fast as it plays; unset is as fast as it can."""


def create(settings: EngineSettings) -> Engine:
    """The engine that `settings` ask for, not opened yet.

    Raises:
        EngineError: `invalid_setting`, where the environment asks for a pace that is no number.
    """
    if settings.gpus and not settings.in_process:
        from engine.fleet import FleetEngine, parted
        from engine.process import ProcessEngine

        return FleetEngine([ProcessEngine(each) for each in parted(settings)])
    if settings.ray and not settings.in_process:
        from engine.rays import create_fleet

        return create_fleet(settings)
    if not settings.in_process:
        from engine.process import ProcessEngine

        return ProcessEngine(settings)
    if settings.model == ECHO:
        from engine.echo import EchoEngine

        return EchoEngine(settings, pace=_echo_pace())
    if settings.model.startswith(WHISPER):
        from engine.whisper import WhisperEngine

        return WhisperEngine(settings)
    # Imported here alone: torch and transformers take seconds, and only the engine's process needs them.
    from engine.chroma.engine import ChromaEngine

    return ChromaEngine(settings)


def _echo_pace() -> float | None:
    text = os.environ.get(ECHO_PACE)
    if not text:
        return None
    try:
        pace = float(text)
    except ValueError:
        pace = 0.0
    if not 0 < pace < float("inf"):
        raise EngineError(
            "invalid_setting", f"{ECHO_PACE}={text!r} is not a number above 0, such as 1 or 2.5"
        )
    return pace
