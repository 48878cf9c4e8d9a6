"""Whose pages may come in.

A browser says with each request and WebSocket which site's page makes it. Where keys are asked for, that
tells little: a page has to know one. Without keys a page of any site that somebody visits could talk to the
server that runs on their machine, so only pages of that very machine are let in. A page does not say where it
is from when it asks its own site, whose name may be made to lead here (DNS rebinding): so without keys the
server answers to names of its machine alone.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from realtime.server.settings import ServerSettings

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Origins:
    """Who may come in by their `Origin` header.

    Args:
        keys: callers have to show one.
    """

    def __init__(self, settings: ServerSettings, *, keys: bool) -> None:
        self._listed = frozenset(settings.origins)
        self._own = keys or settings.open
        self._all = "*" in self._listed or (keys and not self._listed)
        self._any_host = self._own or self._all
        self._hosts = {settings.host, *LOOPBACK, *(_name(origin) for origin in self._listed)}

    def allow_host(self, host: str | None) -> bool:
        """The server may be asked for by the name in this `Host` header. None: no browser asks."""
        if host is None or self._any_host:
            return True
        name = _name(f"//{host}")
        return name is not None and (name in self._hosts or _is_loopback(name))

    def allow(self, origin: str | None, host: str | None) -> bool:
        """A page of `origin` may come in; `host` is the server as it was asked for. None: no browser asks."""
        if origin is None or self._all or origin in self._listed:
            return True
        name = _name(origin)
        if name is None:
            return False
        if self._own and urlsplit(origin).netloc == host:
            return True
        return not self._listed and not self._all and name in LOOPBACK


def _name(url: str) -> str | None:
    """The host that a URL names; None where it names none."""
    try:
        return urlsplit(url).hostname or None
    except ValueError:
        return None


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
