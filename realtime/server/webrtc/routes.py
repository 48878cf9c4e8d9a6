"""`POST /v1/realtime/calls`: from an SDP offer to a running call."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

import orjson
from starlette.datastructures import UploadFile
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from realtime.protocol.errors import ProtocolError, unsupported
from realtime.protocol.ids import random_id
from realtime.server.gateway import Gateway
from realtime.server.rest.body import read_body
from realtime.server.rest.forms import read_form
from realtime.session.session import Session

if TYPE_CHECKING:
    from realtime.server.webrtc.call import Call

log = logging.getLogger(__name__)
_LARGEST_BODY = 1024 * 1024


class CallRoutes:
    """Takes calls and ends them. Without aiortc each is answered with how to install it."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._calls: dict[str, Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def hang_up(self, http: HttpRequest) -> Response:
        """`POST /v1/realtime/calls/{id}/hangup`."""
        call = self._calls.get(http.path_params["call"])
        if call is None:
            raise ProtocolError("not_found", "There is no such call.", "call_id")
        call.hang_up()
        return Response()

    async def refuse(self, http: HttpRequest) -> Response:
        """`accept`, `reject` and `refer` are for phone calls by SIP."""
        raise unsupported("call_id", "This server takes no SIP calls.")

    async def create(self, http: HttpRequest) -> Response:
        """`POST /v1/realtime/calls`: an SDP offer, or a form of `sdp` and `session`."""
        try:
            from realtime.server.webrtc.call import Call
        except ImportError:
            message = "WebRTC needs aiortc on the server: pip install 'chroma-realtime[webrtc]'."
            raise ProtocolError("not_installed", message, kind="server_error") from None
        gateway, caller = self._gateway, http.state.caller
        offer, initial = await _read(http)
        gateway.check_ready()
        with contextlib.ExitStack() as held:
            held.enter_context(gateway.session(caller))
            config = await gateway.session_config(
                "realtime", caller, initial or caller.session, server_plays=True
            )
            session = Session(config, clock=time.time)
            call = Call(random_id("rtc"), session, gateway.services, gateway.settings.stun)
            answer = await call.answer(offer)
            task = asyncio.create_task(self._hold(call, held.pop_all()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        location = f"/v1/realtime/calls/{call.id}"
        return Response(answer, 201, {"Location": location}, media_type="application/sdp")

    async def _hold(self, call: Call, place: contextlib.ExitStack) -> None:
        self._calls[call.id] = call
        try:
            with place:
                await call.run()
        except Exception:
            log.exception("call %s broke", call.id)
        finally:
            del self._calls[call.id]


async def _read(http: HttpRequest) -> tuple[str, dict[str, Any] | None]:
    """The offer, and the session that the caller asks for."""
    if not http.headers.get("content-type", "").startswith("multipart/form-data"):
        return (await read_body(http, _LARGEST_BODY)).decode(errors="replace"), None
    form = await read_form(http, _LARGEST_BODY)
    fields = {}
    for name in ("sdp", "session"):
        value = form.get(name)
        whole = await value.read() if isinstance(value, UploadFile) else value
        fields[name] = whole.decode(errors="replace") if isinstance(whole, bytes) else whole
    if not fields["sdp"]:
        raise ProtocolError("missing_required_parameter", "Missing required parameter: 'sdp'.", "sdp")
    if not fields["session"]:
        return fields["sdp"], None
    try:
        session = orjson.loads(fields["session"])
    except orjson.JSONDecodeError as error:
        raise ProtocolError("invalid_json", f"'session' is not valid JSON: {error}.", "session") from None
    if not isinstance(session, dict):
        raise ProtocolError("invalid_type", "'session' has to be a JSON object.", "session")
    return fields["sdp"], session
