"""The page at `/`: files as they lie in `page/`, with the headers that a browser needs to trust them."""

from __future__ import annotations

import mimetypes
import os
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from realtime.server.gateway import Gateway

FOLDER = Path(__file__).with_name("page")

_HEADERS = {
    # Nothing but this server's own files, and no connection to anywhere else.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # Asked for anew each time, answered with 304 while it is the same: an update is never half seen.
    "Cache-Control": "no-cache",
}

# A system may think otherwise (Windows keeps these in its registry), and browsers run no other type.
mimetypes.add_type("text/javascript", ".js")
mimetypes.add_type("image/svg+xml", ".svg")


class PageFiles(StaticFiles):
    """`GET /page/…`: the page's modules, styles and icon."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER)

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers.update(_HEADERS)
        return response


class PageRoutes:
    """`GET /`: the page for a browser, a line for a terminal."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.files = PageFiles()

    async def index(self, request: Request) -> Response:
        """What of the two it is, `Accept` says."""
        if "text/html" in request.headers.get("accept", ""):
            response = await self.files.get_response("index.html", request.scope)
        else:
            scheme = "wss" if request.url.scheme == "https" else "ws"
            response = PlainTextResponse(
                f"chroma-realtime serves {self._gateway.model}.\nTalk to it in a browser, or connect an"
                f" OpenAI Realtime client to {scheme}://{request.url.netloc}/v1/realtime\n"
            )
        response.headers["Vary"] = "Accept"
        return response
