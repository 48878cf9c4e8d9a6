"""The names that a model may go by, and where it lies on this machine."""

from __future__ import annotations

from pathlib import Path

ECHO = "echo"
"""The model name that takes no model at all."""

NANO = "nano"
"""The small checkpoint in the box: what is served where nothing else is asked for."""

NANO_FOLDER = Path(__file__).with_name("nano")

PUBLISHED = "FlashLabs/Chroma-4B"
"""The hub id of the model that all this is made for."""

WHISPER = "whisper:"
"""Before the name of a Whisper model, which only transcribes."""


def folder_of(model: str) -> Path | None:
    """The folder that holds a model's checkpoint; None where the name is no folder's: a hub id, or `echo`.

    Names come before folders: a folder that is called nano or echo is `./nano` or `./echo`.
    """
    if model == NANO:
        return NANO_FOLDER
    path = Path(model).expanduser()
    return path if model != ECHO and path.is_dir() else None
