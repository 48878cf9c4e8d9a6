"""Keys for HTTP: who may ask is settled before a request is read."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from realtime.protocol.errors import ProtocolError
from realtime.server.access import Access
from realtime.server.observe.metrics import Metrics
from realtime.server.rest.errors import error_response

_GUARDED = ("/v1/", "/realtime", "/metrics")
_FOR_SECRETS = ("/v1/realtime/calls", "/realtime/calls")
"""What a client secret opens beside the WebSocket."""


class Guard:
    """Lets an HTTP request through with `state.caller` set, or answers it with 401.

    WebSockets pass: a client is told on the open socket what is wrong with its key.
    """

    def __init__(self, app: ASGIApp, access: Access, metrics: Metrics) -> None:
        self._app = app
        self._access = access
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_GUARDED):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        try:
            caller = self._access.admit(request.headers, request.query_params)
            if caller.by_secret and not scope["path"].startswith(_FOR_SECRETS):
                raise ProtocolError(
                    "invalid_api_key", "A client secret opens Realtime sessions alone; use an API key."
                )
        except ProtocolError as error:
            self._metrics.errors.labels("http", error.code).inc()
            await error_response(error)(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)
