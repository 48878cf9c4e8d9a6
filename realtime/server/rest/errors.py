"""OpenAI's errors over HTTP."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from realtime.protocol.errors import ProtocolError
from realtime.server.rest.answering import ClientGone

_STATUS = {
    "invalid_api_key": 401,
    "not_allowed": 403,
    "model_not_found": 404,
    "not_found": 404,
    "already_exists": 409,
    "too_large": 413,
    "rate_limit_exceeded": 429,
    "session_limit_reached": 429,
    "not_installed": 501,
    "engine_not_ready": 503,
    "engine_restarting": 503,
    "engine_died": 503,
    "engine_full": 503,
    "engine_closed": 503,
    "too_many_requests": 503,
}


def error_response(error: ProtocolError) -> JSONResponse:
    """The error as a response; what is the client's fault and has no status of its own is a 400."""
    status = _STATUS.get(error.code, 500 if error.kind == "server_error" else 400)
    body = error.body(None)
    del body["event_id"]
    return JSONResponse({"error": body}, status)


def answer_error(request: Request, error: Exception) -> Response:
    """What every route answers where it raised a ProtocolError, or found that its client has gone."""
    if isinstance(error, ClientGone):
        return Response(status_code=499)
    assert isinstance(error, ProtocolError)
    request.app.state.metrics.errors.labels("http", error.code).inc()
    return error_response(error)
