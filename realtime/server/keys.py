"""The keys that clients show: read once, kept as digests, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from engine import EngineError

KEYS_ENVIRONMENT = "CHROMA_REALTIME_KEYS"
_LIMITS = ("sessions", "tokens_per_minute", "requests_per_minute")
# What fits into a WebSocket subprotocol, in which browsers have to send it.
_KEY = re.compile(r"[A-Za-z0-9_.-]{16,256}")
_FORM = "NAME KEY [sessions=N] [tokens_per_minute=N] [requests_per_minute=N]"


@dataclass(frozen=True, slots=True)
class Key:
    """One key by the name of who it was given to, and what may be done with it. None: no limit."""

    name: str
    digest: bytes
    sessions: int | None = None
    tokens_per_minute: int | None = None
    requests_per_minute: int | None = None


class Keyring:
    """All keys. An empty one lets everybody in."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self._keys = tuple(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def find(self, shown: str) -> Key | None:
        """The key that is shown, in a time that tells nothing of how near it came."""
        digest = _digest(shown)
        found = None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found

    def named(self, name: str) -> Key | None:
        """The key of this name."""
        return next((key for key in self._keys if key.name == name), None)

    @classmethod
    def read(cls, lines: Iterable[str], source: str) -> Keyring:
        """One key a line: a name, the key, then its limits. `#` begins a comment.

        Raises:
            EngineError: `invalid_keys`, with the line's number and never with its key.
        """
        keys: list[Key] = []
        for number, line in enumerate(lines, 1):
            words = line.partition("#")[0].split()
            if not words:
                continue
            where = f"{source}, line {number}"
            if len(words) < 2:
                raise EngineError("invalid_keys", f"{where}: expected {_FORM}")
            name, key, *limits = words
            if not _KEY.fullmatch(key):
                raise EngineError(
                    "invalid_keys",
                    f"{where}: the key of {name} has to be 16 to 256 letters, digits, '_', '-' or '.';"
                    " 'chroma-realtime key' makes one",
                )
            if any(other.name == name for other in keys):
                raise EngineError("invalid_keys", f"{where}: the name {name} is there twice")
            keys.append(Key(name, _digest(key), **_limits(limits, where)))
        if not keys:
            raise EngineError("invalid_keys", f"{source} holds no key; expected lines of {_FORM}")
        return cls(keys)


def read_keys(file: Path | None, environment: str | None) -> Keyring:
    """Keys of a file, else of an environment variable's value (separated by commas), else none.

    Raises:
        EngineError: `invalid_keys`.
    """
    if file is not None:
        try:
            text = file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise EngineError("invalid_keys", f"the keys of {file} cannot be read: {error}") from None
        return Keyring.read(text.splitlines(), str(file))
    if environment:
        named = (f"key{number} {key}" for number, key in enumerate(environment.split(","), 1))
        return Keyring.read(named, KEYS_ENVIRONMENT)
    return Keyring()


def new_key() -> str:
    """A key that nobody guesses."""
    return f"sk-{secrets.token_urlsafe(32)}"


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _limits(words: Iterable[str], where: str) -> dict[str, int]:
    limits: dict[str, int] = {}
    for word in words:
        name, _, value = word.partition("=")
        if name not in _LIMITS or not value.isdecimal() or int(value) < 1:
            raise EngineError("invalid_keys", f"{where}: {word!r} is none of {', '.join(_LIMITS)}=N")
        limits[name] = int(value)
    return limits
