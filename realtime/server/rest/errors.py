"""OpenAI's errors over HTTP."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from realtime.protocol.errors import ProtocolError
from realtime.server.rest.answering import ClientGone

_STATUS = {
    "invalid_api_key": 401,
    "not_allowed": 403,
    "origin_not_allowed": 403,
    "host_not_allowed": 403,
    "model_not_found": 404,
    "not_found": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "already_exists": 409,
    "too_large": 413,
    "rate_limit_exceeded": 429,
    "too_many_handshakes": 429,
    "session_limit_reached": 429,
    "not_installed": 501,
    "voice_not_writable": 507,
    "engine_not_ready": 503,
    "engine_restarting": 503,
    "engine_died": 503,
    "engine_full": 503,
    "engine_closed": 503,
    "server_stopping": 503,
    "too_many_requests": 503,
}

_PASSING = (429, 503)
"""Whoever is told one of these may come again."""
_UNREAD = (408, 413)
"""The rest of such a body is never read."""


def error_response(error: ProtocolError) -> JSONResponse:
    """The error as a response; what is the client's fault and has no status of its own is a 400."""
    status = _STATUS.get(error.code, 500 if error.kind == "server_error" else 400)
    body = error.body(None)
    del body["event_id"]
    headers = {"Retry-After": "1"} if status in _PASSING else {}
    if status in _UNREAD:
        headers["Connection"] = "close"
    return JSONResponse({"error": body}, status, headers)


def answer_error(request: Request, error: Exception) -> Response:
    """What every route answers where it raised a ProtocolError, or found that its client has gone."""
    if isinstance(error, ClientGone):
        return Response(status_code=499)
    assert isinstance(error, ProtocolError)
    request.app.state.metrics.errors.labels("http", error.code).inc()
    return error_response(error)


def answer_unrouted(request: Request, error: Exception) -> Response:
    """What is answered where no route takes the path, or none the method: Starlette would answer in plain
    text, which no OpenAI client can read."""
    assert isinstance(error, HTTPException)
    path = request.url.path
    code, message = {
        404: ("not_found", f"There is nothing at {path}; see /openapi.json."),
        405: (
            "method_not_allowed",
            f"{path} does not take {request.method}; /openapi.json tells what it does.",
        ),
    }.get(error.status_code, ("invalid_request", error.detail))
    request.app.state.metrics.errors.labels("http", code).inc()
    response = error_response(ProtocolError(code, message))
    response.status_code = error.status_code
    response.headers.update(error.headers or {})
    return response
