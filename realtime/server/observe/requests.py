"""Counts HTTP requests by route and status."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realtime.server.observe.metrics import Metrics


class CountRequests:
    """Counts what the app answers. A path that has no route goes by `none`, so that whoever tries paths makes
    no names."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        begun = False

        def count(status: int) -> None:
            nonlocal begun
            begun = True
            route = getattr(scope.get("route"), "path", "none")
            self._metrics.requests.labels(route, str(status)).inc()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                count(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, counted)
        except Exception:
            # What answers it stands outside of all that is counted here.
            if not begun:
                count(500)
            raise
