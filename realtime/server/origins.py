"""Whose pages may come in.

A browser says with each request and WebSocket which site's page makes it. Where keys are asked for, that
tells little: a page has to know one. Without keys a page of any site that somebody visits could talk to the
server that runs on their machine, so only pages of that very machine are let in.
"""

from __future__ import annotations

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

    def allow(self, origin: str | None, host: str | None) -> bool:
        """A page of `origin` may come in; `host` is the server as it was asked for. None: no browser asks."""
        if origin is None or self._all or origin in self._listed:
            return True
        try:
            site = urlsplit(origin)
            name = site.hostname
        except ValueError:
            return False
        # The host of a request proves nothing where there are no keys: a foreign site's name may be made to
        # lead here (DNS rebinding).
        if self._own and site.netloc and site.netloc == host:
            return True
        return not self._listed and not self._all and name in LOOPBACK
