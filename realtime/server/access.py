"""Who is asking, and how much they may: keys, client secrets and what each key has left."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from realtime.protocol.errors import ProtocolError
from realtime.server.client_secrets import PREFIX, ClientSecrets, SecretError
from realtime.server.keys import Key, Keyring
from realtime.server.limits import Meter

_SUBPROTOCOL_KEY = "openai-insecure-api-key."
ANYBODY = Key("anybody", b"")
"""Who asks where there are no keys."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who may ask. `meter` counts what their key spends, None where it has no limits. `session` is
    the configuration that their client secret was made for."""

    key: Key
    meter: Meter | None = None
    session: dict[str, Any] | None = None
    by_secret: bool = False


class Access:
    """Lets callers in, and counts their sessions."""

    def __init__(self, keys: Keyring, secrets: ClientSecrets) -> None:
        self._keys = keys
        self.secrets = secrets
        self._meters: dict[str, Meter] = {}
        self._sessions: Counter[str] = Counter()

    @property
    def guarded(self) -> bool:
        """Callers have to show a key."""
        return bool(self._keys)

    def admit(
        self, headers: Mapping[str, str], query: Mapping[str, str], subprotocols: Sequence[str] = ()
    ) -> Caller:
        """Who sent a request with these headers (names in lower case), query and WebSocket subprotocols.

        Raises:
            ProtocolError: `invalid_api_key`.
        """
        shown = _shown(headers, query, subprotocols)
        if shown and shown.startswith(PREFIX):
            return self._by_secret(shown)
        if not self._keys:
            return Caller(ANYBODY)
        if not shown:
            raise _refused("You didn't provide an API key: send it as 'Authorization: Bearer KEY'.")
        key = self._keys.find(shown)
        if key is None:
            raise _refused("Incorrect API key provided.")
        return Caller(key, self._meter(key))

    @contextlib.contextmanager
    def session(self, caller: Caller) -> Iterator[None]:
        """Holds one of the key's sessions for as long as it is open.

        Raises:
            ProtocolError: `session_limit_reached`.
        """
        name, limit = caller.key.name, caller.key.sessions
        if limit is not None and self._sessions[name] >= limit:
            message = f"This key holds {limit} sessions, its limit. Close one, or try again later."
            raise ProtocolError("session_limit_reached", message, kind="rate_limit_error")
        self._sessions[name] += 1
        try:
            yield
        finally:
            self._sessions[name] -= 1

    def _by_secret(self, shown: str) -> Caller:
        try:
            secret = self.secrets.read(shown)
        except SecretError as error:
            raise _refused(f"Incorrect client secret provided: {error}.") from None
        if not self._keys:
            return Caller(ANYBODY, session=secret.session, by_secret=True)
        key = self._keys.named(secret.owner)
        if key is None:
            raise _refused("The key that this client secret was made with is not valid any more.")
        return Caller(key, self._meter(key), secret.session, by_secret=True)

    def _meter(self, key: Key) -> Meter | None:
        if key.tokens_per_minute is None and key.requests_per_minute is None:
            return None
        if key.name not in self._meters:
            self._meters[key.name] = Meter(key.tokens_per_minute, key.requests_per_minute)
        return self._meters[key.name]


def _shown(headers: Mapping[str, str], query: Mapping[str, str], subprotocols: Sequence[str]) -> str | None:
    """The key of a request, by whichever way it came: OpenAI's header, the browser's, or Azure's two."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" and token.strip():
        return token.strip()
    for offered in subprotocols:
        if offered.startswith(_SUBPROTOCOL_KEY):
            return offered.removeprefix(_SUBPROTOCOL_KEY)
    return headers.get("api-key") or query.get("api-key") or None


def _refused(message: str) -> ProtocolError:
    return ProtocolError("invalid_api_key", message)
