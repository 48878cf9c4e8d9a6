"""The engine behind its wall: see `engine.api` for all that a gateway may know of it."""

from engine.api import (
    SAMPLE_RATE,
    Audio,
    AudioDelta,
    Engine,
    EngineError,
    Event,
    Finished,
    Message,
    Part,
    Request,
    Started,
    Text,
    TextDelta,
    Usage,
    Voice,
)
from engine.settings import EngineSettings

__all__ = [
    "SAMPLE_RATE",
    "Audio",
    "AudioDelta",
    "Engine",
    "EngineError",
    "EngineSettings",
    "Event",
    "Finished",
    "Message",
    "Part",
    "Request",
    "Started",
    "Text",
    "TextDelta",
    "Usage",
    "Voice",
]
