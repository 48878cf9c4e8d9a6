"""The voices on disk: a folder a voice, holding `sample.wav`, `transcript.txt` and `consent.txt`."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from engine.api import SAMPLE_RATE, EngineError, Voice
from engine.voices import sample as samples

log = logging.getLogger(__name__)

BUILTIN = Path(__file__).with_name("builtin")
DEFAULT = "default"
"""A user's voice of this name comes before all others."""

CONSENT_NOT_STATED = "not stated"

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LONGEST_NOTE = 10_000  # Characters of a transcript or a consent note: far over what 30 s of speech holds.


def default_folder() -> Path:
    """Where a user's voices live: `$CHROMA_REALTIME_VOICES`, or the XDG data folder."""
    if own := os.environ.get("CHROMA_REALTIME_VOICES"):
        return Path(own).expanduser()
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "chroma-realtime" / "voices"


@dataclass(frozen=True, slots=True)
class StoredVoice:
    """One voice. `digest` names its content: equal digests are the same sample and transcript."""

    name: str
    transcript: str
    consent: str
    sample: Path
    seconds: float
    builtin: bool
    digest: str

    def load(self) -> np.ndarray:
        """The sample as float32 [samples], mono at `SAMPLE_RATE`.

        Raises:
            EngineError: the file has changed since it was listed and is no sample any more.
        """
        return samples.decode(self.sample)

    def described(self) -> Voice:
        """This voice as the gateway may see it."""
        return Voice(self.name, self.transcript, self.seconds, self.builtin)


# `list` inside VoiceStore is its method.
StoredVoices = list[StoredVoice]


class VoiceStore:
    """The user's voices in one folder, and the ones that ship with the package."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder if folder is not None else default_folder()

    def list(self) -> StoredVoices:
        """Every voice that can be used, the user's before the builtin ones, each group by name, except
        that the user's `default` is first of all. A folder that holds no usable voice is skipped with a
        warning, and a builtin voice gives way to a user's of the same name."""
        own = _read_all(self.folder, builtin=False)
        own.sort(key=lambda voice: (voice.name != DEFAULT, voice.name))
        taken = {voice.name for voice in own}
        return own + [voice for voice in _read_all(BUILTIN, builtin=True) if voice.name not in taken]

    def ordered(self, first: str | None) -> StoredVoices:
        """`list`, with the voice named `first` brought to the front.

        Raises:
            EngineError: `unknown_voice`.
        """
        voices = self.list()
        if first is None:
            return voices
        voice = _named(first, voices)
        return [voice, *(other for other in voices if other.name != first)]

    def get(self, name: str) -> StoredVoice:
        """The voice called `name`.

        Raises:
            EngineError: `unknown_voice`, with the names there are.
        """
        return _named(name, self.list())

    def add(
        self, name: str, sample: Path | bytes, transcript: str, consent: str = "", *, most: int | None = None
    ) -> StoredVoice:
        """Keep a copy of `sample` as the voice `name`; either all of it is there afterwards or nothing.

        Args:
            sample: a sound file, or its bytes.
            most: the user's voices that there may be with this one; None: as many as they like.
            transcript: what the sample says, word for word.
            consent: who agreed to the use of this voice, and when; empty is kept as "not stated".

        Raises:
            EngineError: the first rule that is broken, by a code that begins with `voice_`.
        """
        if not _NAME.fullmatch(name):
            raise EngineError(
                "voice_name_invalid", f"voice name {name!r}: use 1 to 64 letters, digits, '-' and '_'"
            )
        transcript = transcript.strip()
        if not transcript:
            raise EngineError(
                "voice_transcript_missing", "say what the sample says, word for word, as its text"
            )
        if max(len(transcript), len(consent)) > _LONGEST_NOTE:
            raise EngineError("voice_text_too_long", f"a text is over {_LONGEST_NOTE} characters")
        if (self.folder / name).exists():
            raise EngineError("voice_exists", f"there is a voice {name!r} already; remove it first")
        if most is not None and self._count() >= most:
            raise EngineError("voice_store_full", f"there are {most} voices, the most; remove one first")
        sound = samples.decode(sample)

        building = self._temporary("adding")
        try:
            (building / "sample.wav").write_bytes(_wav(sound))
            (building / "transcript.txt").write_text(transcript + "\n", encoding="utf-8")
            note = consent.strip() or CONSENT_NOT_STATED
            (building / "consent.txt").write_text(note + "\n", encoding="utf-8")
            building.chmod(0o755)
            # A folder that is not empty is never replaced, so of two adding at once one is told.
            building.rename(self.folder / name)
        except OSError as error:
            shutil.rmtree(building, ignore_errors=True)
            if (self.folder / name).exists():
                raise EngineError("voice_exists", f"there is a voice {name!r} already") from None
            raise EngineError("voice_not_writable", f"{self.folder}: {error.strerror or error}") from None
        return _read(self.folder / name, builtin=False)

    def remove(self, name: str) -> None:
        """Delete a user's voice.

        Raises:
            EngineError: `unknown_voice`, or `voice_builtin` for one that ships with the package.
        """
        folder = self.folder / name
        mine = _NAME.fullmatch(name) is not None and folder.is_dir()
        if not mine and self.get(name).builtin:
            raise EngineError("voice_builtin", f"{name!r} ships with chroma-realtime and stays")
        going = self._temporary("removing")
        try:
            folder.rename(going / name)
        except OSError as error:
            raise EngineError("voice_not_writable", f"{folder}: {error.strerror or error}") from None
        finally:
            shutil.rmtree(going, ignore_errors=True)

    def _count(self) -> int:
        """The user's voices, those that cannot be used included."""
        try:
            return sum(not entry.name.startswith(".") for entry in self.folder.iterdir())
        except OSError:
            return 0

    def _temporary(self, what: str) -> Path:
        """A fresh folder beside the voices, so that a rename is atomic; its dot hides it from `list`."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return Path(tempfile.mkdtemp(prefix=f".{what}-", dir=self.folder))
        except OSError as error:
            raise EngineError("voice_not_writable", f"{self.folder}: {error.strerror or error}") from None


def _wav(sound: np.ndarray) -> bytes:
    """A whole file in memory: what goes wrong when it is written is then the disk's own error."""
    file = io.BytesIO()
    soundfile.write(file, sound, SAMPLE_RATE, subtype="PCM_16", format="WAV")
    return file.getvalue()


def _named(name: str, voices: StoredVoices) -> StoredVoice:
    for voice in voices:
        if voice.name == name:
            return voice
    known = ", ".join(voice.name for voice in voices) or "none"
    raise EngineError("unknown_voice", f"there is no voice {name!r}; there are: {known}")


def _read_all(folder: Path, *, builtin: bool) -> StoredVoices:
    try:
        entries = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        log.warning("voices in %s cannot be read: %s", folder, error.strerror)
        return []
    voices = []
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            voices.append(_read(entry, builtin=builtin))
        except EngineError as error:
            log.warning("voice folder %s is skipped: %s", entry, error.message)
    return voices


def _read(folder: Path, *, builtin: bool) -> StoredVoice:
    if not _NAME.fullmatch(folder.name):
        raise EngineError("voice_name_invalid", "its name is not 1 to 64 letters, digits, '-' and '_'")
    sample = folder / "sample.wav"
    seconds = samples.seconds_of(sample)
    transcript = _text(folder / "transcript.txt")
    if not transcript:
        raise EngineError("voice_transcript_missing", "its transcript.txt is missing or empty")
    try:
        content = hashlib.sha256(sample.read_bytes())
    except OSError as error:
        raise EngineError("voice_not_readable", f"{sample}: {error.strerror}") from None
    content.update(b"\0" + transcript.encode())
    consent = _text(folder / "consent.txt") or CONSENT_NOT_STATED
    return StoredVoice(folder.name, transcript, consent, sample, seconds, builtin, content.hexdigest())


def _text(path: Path) -> str:
    """A short text file; empty where there is none or it is no text."""
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(_LONGEST_NOTE).strip()
    except (OSError, UnicodeDecodeError):
        return ""
