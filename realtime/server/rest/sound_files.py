"""Sound in files of every common kind, to and from PCM16 at 24 kHz."""

from __future__ import annotations

import base64
import binascii
import io
import re
from pathlib import Path

import numpy as np
import soundfile

from engine import SAMPLE_RATE
from engine.sound_reader import UnreadableSound, read_mono
from realtime.protocol.errors import ProtocolError
from realtime.protocol.validation import show

CONTAINERS = {
    "wav": ("WAV", "PCM_16", "audio/wav"),
    "flac": ("FLAC", "PCM_16", "audio/flac"),
    "mp3": ("MP3", "MPEG_LAYER_III", "audio/mpeg"),
    "opus": ("OGG", "OPUS", "audio/ogg"),
}
"""Names of OpenAI's formats, what libsndfile calls them, and their media types."""
RAW = ("pcm16", "pcm")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_PATH = re.compile(r"(?:[.~]?/)?[\w .~-]+(?:/[\w .~-]+)*\.(?:wav|flac|mp3|ogg|opus|m4a)", re.IGNORECASE)


def check_container(name: str, param: str) -> str:
    """A format that can be written.

    Raises:
        ProtocolError: `unsupported_value`.
    """
    if name not in CONTAINERS and name not in RAW:
        names = ", ".join(f"'{one}'" for one in (*CONTAINERS, *RAW))
        raise ProtocolError("unsupported_value", f"Unsupported '{param}': {show(name)}; use {names}.", param)
    return name


def encode(pcm: bytes, container: str) -> bytes:
    """PCM16 at 24 kHz as a whole file of this format."""
    if container in RAW:
        return pcm
    kind, subtype, _ = CONTAINERS[container]
    file = io.BytesIO()
    soundfile.write(file, np.frombuffer(pcm, "<i2"), SAMPLE_RATE, format=kind, subtype=subtype)
    return file.getvalue()


def decode(data: bytes, param: str, longest_s: float, declared: str | None = None) -> bytes:
    """A file's sound as PCM16 mono at 24 kHz; no more is decoded than `longest_s` allow.

    Args:
        declared: "pcm16" for bytes that are samples already; any other file says itself what it is.

    Raises:
        ProtocolError: `invalid_value`, it is no sound, or too long.
    """
    if declared in RAW:
        pcm = data[: len(data) & ~1]
    else:
        try:
            pcm = (read_mono(data, longest_s) * 32767).astype("<i2").tobytes()
        except UnreadableSound as error:
            raise ProtocolError("invalid_value", f"Invalid '{param}': it {error}.", param) from None
    if not pcm:
        raise ProtocolError("invalid_value", f"Invalid '{param}': it holds no sound.", param)
    if len(pcm) > 2 * longest_s * SAMPLE_RATE:
        raise ProtocolError(
            "invalid_value", f"Invalid '{param}': its sound is longer than {longest_s:g} seconds.", param
        )
    return pcm


def fetch(given: object, param: str, folder: Path | None, limit: int) -> bytes:
    """The bytes of a file that a request holds or names: base64, a data URL, or a path below `folder`.

    Raises:
        ProtocolError: it is none of these, or a URL, which is never opened.
    """
    if not isinstance(given, str):
        raise ProtocolError("invalid_type", f"Invalid type for '{param}': expected a base64 string.", param)
    if given.startswith("data:"):
        head, _, given = given.partition(",")
        if not head.endswith(";base64"):
            message = f"Invalid '{param}': a data URL has to hold base64."
            raise ProtocolError("invalid_value", message, param)
    elif _URL.match(given):
        message = f"Unsupported '{param}': URLs are not opened; send the file itself as base64."
        raise ProtocolError("unsupported_value", message, param)
    elif _PATH.fullmatch(given):
        return _open(given, param, folder, limit)
    try:
        return base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        message = f"Invalid '{param}': expected base64 or a data URL."
        raise ProtocolError("invalid_value", message, param) from None


def _open(given: str, param: str, folder: Path | None, limit: int) -> bytes:
    if folder is None:
        message = f"Unsupported '{param}': paths are not opened here; send the file itself as base64."
        raise ProtocolError("unsupported_value", message, param)
    root = folder.resolve()
    path = (root / given).resolve()
    try:
        if not path.is_relative_to(root) or path.stat().st_size > limit:
            raise OSError
        return path.read_bytes()
    except OSError:
        # Whether a file outside exists is nobody's to learn.
        message = f"Invalid '{param}': there is no such file in the folder that may be read."
        raise ProtocolError("invalid_value", message, param) from None
