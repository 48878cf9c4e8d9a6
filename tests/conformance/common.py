"""What the Python programs share: recordings, and how they tell what came of each conversation."""

import asyncio
import json
import traceback
import wave
from pathlib import Path

SPEECH = Path(__file__).parents[1] / "data" / "speech"
SILENCE = bytes(48_000)
"""One second."""
PATIENT_SILENCE = 5 * SILENCE
"""Longer than semantic_vad bears where it takes a turn to be unfinished: a microphone never stops."""
MARKUP = '<tool_call>\n{"name": "get_time", "arguments": {"city": "Köln"}}\n</tool_call>'
"""Echo says what it is told, so told a call it makes it."""
NAMES = ("connect", "spoken turn", "interruption", "tool", "text turn")
PATIENCE_S = 40


def recording(name):
    """PCM16 mono at 24 kHz."""
    with wave.open(str(SPEECH / f"{name}.wav")) as file:
        return file.readframes(file.getnframes())


async def hold(url, version, *conversations):
    """Hold each conversation; prints one JSON object with what went wrong in each, null where nothing did."""
    results = {}
    for name, conversation in zip(NAMES, conversations, strict=True):
        try:
            await asyncio.wait_for(conversation(url), PATIENCE_S)
            results[name] = None
        except Exception as error:
            results[name] = f"{type(error).__name__}: {error}"[:300] + f" at {_where(error)}"
    print(json.dumps({"version": version, "results": results}))


def _where(error):
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "conformance" in frame.filename]
    return f"line {frames[-1].lineno}" if frames else "an unknown place"
