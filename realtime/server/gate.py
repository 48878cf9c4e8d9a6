"""The gate before everything else.

Pages of foreign sites, handshakes that come too fast, requests that are too many or take too long, are
refused here, before they cost anything.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from realtime.protocol.errors import ProtocolError
from realtime.server.gateway import Gateway
from realtime.server.limits import Bucket
from realtime.server.origins import Origins
from realtime.server.rest.errors import error_response
from realtime.server.settings import ServerSettings

_GATED = ("/v1/", "/realtime")
_CALLS = ("/v1/realtime/calls", "/realtime/calls")
_MOST_ADDRESSES = 10_000


class Handshakes:
    """How many new sessions may begin now, in all and from each address."""

    def __init__(self, settings: ServerSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._all = self._bucket(settings.max_handshakes_per_s)
        self._by_address: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, address: str) -> bool:
        """One more may begin, and has."""
        own = self._by_address.pop(address, None)
        own = own or self._bucket(self._settings.max_address_handshakes_per_s)
        self._by_address[address] = own
        if len(self._by_address) > _MOST_ADDRESSES:
            self._by_address.popitem(last=False)
        if own.level < 1 or self._all.level < 1:
            return False
        own.take(1)
        self._all.take(1)
        return True

    def _bucket(self, a_second: float) -> Bucket:
        # As many as there may be sessions come at once when a server comes back.
        return Bucket(max(self._settings.max_sessions, int(a_second), 1), self._clock, a_second)


class Gate:
    """Lets requests and handshakes through, or refuses them with one small response."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._settings = gateway.settings
        self._draining = gateway.draining
        self._origins = Origins(gateway.settings, keys=gateway.access.guarded)
        self._handshakes = Handshakes(gateway.settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        gated = scope["path"].startswith(_GATED)
        refusal = self._misnamed(scope) or (self._refusal(scope) if gated else None)
        if refusal is not None:
            await _refuse(refusal, scope, receive, send)
        elif scope["type"] == "websocket" or not gated:
            await self._app(scope, receive, send)
        else:
            await self._count(scope, receive, send)

    def _misnamed(self, scope: Scope) -> ProtocolError | None:
        host = HTTPConnection(scope).headers.get("host")
        if self._origins.allow_host(host):
            return None
        message = (
            f"Without keys this server is not to be asked for as {host}: ask for localhost, give it --keys,"
            " or let everybody in with --open."
        )
        return ProtocolError("host_not_allowed", message)

    def _refusal(self, scope: Scope) -> ProtocolError | None:
        headers = HTTPConnection(scope).headers
        origin = headers.get("origin")
        if not self._origins.allow(origin, headers.get("host")):
            return ProtocolError(
                "origin_not_allowed", f"Pages of {origin} may not come in here; see serve --origin."
            )
        if scope["type"] == "websocket" or scope["path"] in _CALLS:
            address = scope["client"][0] if scope.get("client") else ""
            if not self._handshakes.take(address):
                message = "Sessions begin faster than this server takes them. Try again in a second."
                return ProtocolError("too_many_handshakes", message, kind="rate_limit_error")
            return None
        if self._draining.requests >= self._settings.max_requests:
            message = f"The server answers {self._draining.requests} requests, its limit. Try again later."
            return ProtocolError("too_many_requests", message, kind="server_error")
        return None

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._draining.request():
            await self._app(scope, self._timed(receive), send)

    def _timed(self, receive: Receive) -> Receive:
        """Whoever sends a byte a second does not keep a place."""
        due = asyncio.get_running_loop().time() + self._settings.max_body_s
        more = True

        async def timed() -> Message:
            nonlocal more
            if not more:
                return await receive()
            try:
                async with asyncio.timeout_at(due):
                    message = await receive()
            except TimeoutError:
                raise ProtocolError(
                    "request_timeout", f"The body did not come within {self._settings.max_body_s:g} seconds."
                ) from None
            more = message.get("more_body", False)
            return message

        return timed


async def _refuse(error: ProtocolError, scope: Scope, receive: Receive, send: Send) -> None:
    response: Response = error_response(error)
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)
