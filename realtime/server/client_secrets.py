"""Client secrets: short-lived keys for browsers, each bound to a session's configuration.

A secret holds all that it says, signed: whichever replica shares the signing secret can read it, and
nobody has to remember any.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from engine import EngineError

SECRET_ENVIRONMENT = "CHROMA_REALTIME_SECRET"
PREFIX = "ek_"
SHORTEST_S, LONGEST_S, DEFAULT_S = 10, 7200, 600
_SEAL_BYTES = 16
_LARGEST = 6_000
"""Characters of a secret: it has to fit into one header of a request."""
_LARGEST_SESSION = 256 * 1024


class SecretError(Exception):
    """A client secret that cannot be made or used, and why."""


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """What a secret says: whose key it was made with, until when (unix seconds), for which session."""

    owner: str
    expires_at: int
    session: dict[str, Any]


class ClientSecrets:
    """Makes and reads client secrets.

    Args:
        secret: what they are signed with, the same on every replica.
        clock: unix time in seconds.
    """

    def __init__(self, secret: bytes, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._clock = clock

    def mint(self, owner: str, session: dict[str, Any], seconds: int = DEFAULT_S) -> tuple[str, int]:
        """A new secret, and when it expires.

        Raises:
            SecretError: the session is too long to travel in a header.
        """
        expires_at = int(self._clock()) + seconds
        said = orjson.dumps([owner, expires_at, os.urandom(6).hex(), session])
        body = zlib.compress(said, 9)
        value = PREFIX + base64.urlsafe_b64encode(self._seal(body) + body).rstrip(b"=").decode()
        if len(value) > _LARGEST or len(said) > _LARGEST_SESSION:
            raise SecretError(
                f"the session takes {len(value)} characters in a client secret, which holds {_LARGEST};"
                " send its instructions or tools by session.update"
            )
        return value, expires_at

    def read(self, value: str) -> ClientSecret:
        """What a secret says.

        Raises:
            SecretError: it was not made here, or has expired.
        """
        raw = value.removeprefix(PREFIX)
        try:
            data = base64.b64decode(raw + "=" * (-len(raw) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raise SecretError("it is no client secret of this server") from None
        seal, body = data[:_SEAL_BYTES], data[_SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(body)):
            raise SecretError("it is no client secret of this server")
        owner, expires_at, _, session = orjson.loads(zlib.decompress(body))
        if self._clock() >= expires_at:
            raise SecretError("it has expired; make a new one")
        return ClientSecret(owner, expires_at, session)

    def _seal(self, body: bytes) -> bytes:
        return hmac.digest(self._secret, body, hashlib.sha256)[:_SEAL_BYTES]


def signing_secret(file: Path | None, environment: str | None) -> bytes:
    """The secret of a file, else of an environment variable's value, else one that only this process has.

    Raises:
        EngineError: `invalid_secret`.
    """
    if file is not None:
        try:
            given = file.read_bytes().strip()
        except OSError as error:
            raise EngineError("invalid_secret", f"the secret of {file} cannot be read: {error}") from None
    elif environment:
        given = environment.encode()
    else:
        return secrets.token_bytes(32)
    if len(given) < 16:
        raise EngineError(
            "invalid_secret", "the secret that signs client secrets has to be 16 bytes or longer"
        )
    return given
