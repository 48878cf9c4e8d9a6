"""Multipart forms, read up to a limit."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.types import Message

from realtime.protocol.errors import ProtocolError


async def read_form(http: HttpRequest, limit: int) -> dict[str, Any]:
    """The fields of a form: strings, and `UploadFile`s.

    Raises:
        ProtocolError: `too_large`, or `invalid_value` where it is no form.
    """
    taken = 0
    receive = http.receive

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise ProtocolError("too_large", f"The body of this request may have at most {limit} bytes.")
        return message

    try:
        form = await HttpRequest(http.scope, limited).form(max_files=4, max_fields=32)
    except HTTPException as error:
        raise ProtocolError("invalid_value", f"The body is no valid form: {error.detail}.") from None
    return dict(form)
