"""Bodies of requests, read up to a limit."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request

from realtime.protocol.errors import ProtocolError
from realtime.protocol.validation import kind_of


async def read_body(request: Request, limit: int) -> bytes:
    """All of a body.

    Raises:
        ProtocolError: `too_large`; no more than the limit was read.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise ProtocolError("too_large", f"The body of this request may have at most {limit} bytes.")
    return bytes(body)


async def read_json(request: Request, limit: int) -> dict[str, Any]:
    """A body that is a JSON object; an empty one is an empty object.

    Raises:
        ProtocolError: `too_large`, `invalid_json`.
    """
    body = await read_body(request, limit)
    try:
        data = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError as error:
        raise ProtocolError("invalid_json", f"The body is not valid JSON: {error}.") from None
    if not isinstance(data, dict):
        raise ProtocolError("invalid_json", f"The body has to be a JSON object, but is {kind_of(data)}.")
    return data
