"""`POST /v1/realtime/client_secrets`, and the two endpoints that the beta had in its place."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from realtime.protocol.beta import session_from_beta, session_to_beta
from realtime.protocol.errors import ProtocolError
from realtime.protocol.ids import random_id
from realtime.protocol.validation import Int, Wire, check
from realtime.server.client_secrets import DEFAULT_S, LONGEST_S, SHORTEST_S, SecretError
from realtime.server.gateway import Gateway
from realtime.server.rest.body import read_json
from realtime.session.configuration import Configuration

_LARGEST_BODY = 1024 * 1024


class _ExpiresAfter(Wire):
    anchor: Literal["created_at"] = "created_at"
    seconds: Annotated[Int, Field(ge=SHORTEST_S, le=LONGEST_S)] = DEFAULT_S


class _Asked(Wire):
    expires_after: _ExpiresAfter | None = None
    session: dict[str, Any] | None = None


class SecretRoutes:
    """Makes client secrets for whoever has a key."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def create(self, request: Request) -> Response:
        """`POST /v1/realtime/client_secrets`."""
        asked = check(_Asked, await read_json(request, _LARGEST_BODY))
        session = asked.session or {"type": "realtime"}
        seconds = (asked.expires_after or _ExpiresAfter()).seconds
        value, expires_at, shown = await self._mint(request, session, seconds)
        return JSONResponse({"value": value, "expires_at": expires_at, "session": shown})

    async def create_beta(self, request: Request) -> Response:
        """`POST /v1/realtime/sessions`: the session flat, its secret within it."""
        return await self._create_beta(request, "realtime")

    async def create_beta_transcription(self, request: Request) -> Response:
        """`POST /v1/realtime/transcription_sessions`."""
        return await self._create_beta(request, "transcription")

    async def _create_beta(self, request: Request, kind: str) -> Response:
        session = session_from_beta(await read_json(request, _LARGEST_BODY), kind)
        value, expires_at, shown = await self._mint(request, session, DEFAULT_S)
        secret = {"value": value, "expires_at": expires_at}
        return JSONResponse({**session_to_beta(shown), "client_secret": secret})

    async def _mint(
        self, request: Request, session: dict[str, Any], seconds: int
    ) -> tuple[str, int, dict[str, Any]]:
        """A secret, when it expires, and the session that it opens."""
        kind = session.get("type", "realtime")
        if kind not in ("realtime", "transcription"):
            raise ProtocolError(
                "invalid_value",
                "Invalid value: 'session.type' has to be 'realtime' or 'transcription'.",
                "session.type",
            )
        config = await self._gateway.session_config(kind, initial=session)
        shown = Configuration(config, random_id("sess"), 0).describe()
        owner = request.state.caller.key.name
        try:
            value, expires_at = self._gateway.access.secrets.mint(owner, session, seconds)
        except SecretError as error:
            raise ProtocolError("invalid_value", f"Invalid 'session': {error}.", "session") from None
        return value, expires_at, shown
