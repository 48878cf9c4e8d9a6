"""The Starlette app: routes, and what all connections share."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from engine import Engine, EngineError
from realtime.audio.vad import VadWorker
from realtime.protocol.errors import ProtocolError
from realtime.protocol.ids import random_id
from realtime.server.connection import Connection
from realtime.server.readiness import Readiness
from realtime.server.services import Services
from realtime.server.settings import ServerSettings
from realtime.server.transport import WebSocketTransport
from realtime.server.wire import encode
from realtime.session.config import SessionConfig
from realtime.session.session import Session

_SUBPROTOCOL = "realtime"


def _nothing(*_: str) -> None:
    return None


class Gateway:
    """What the routes share: the engine, the ear, and how many sessions there are."""

    def __init__(
        self,
        engine: Engine,
        settings: ServerSettings,
        on_ready: Callable[[], None] = _nothing,
        on_failure: Callable[[str], None] = _nothing,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._readiness = Readiness(engine)
        self._on_ready, self._on_failure = on_ready, on_failure
        self._started = int(time.time())
        self._sessions = 0

    @property
    def model(self) -> str:
        """The id under which the model is listed: a folder goes by its name."""
        path = Path(self._engine.model)
        return path.resolve().name if path.is_dir() else self._engine.model

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Open and close everything that lives as long as the server."""
        self._vad = VadWorker()
        self._readiness.start(self._on_ready, self._on_failure)
        try:
            yield
        finally:
            await self._readiness.stop()
            self._vad.close()

    async def realtime(self, socket: WebSocket) -> None:
        """`GET /v1/realtime`: one session."""
        offered = socket.scope.get("subprotocols", [])
        await socket.accept(_SUBPROTOCOL if _SUBPROTOCOL in offered else None)
        if refusal := self._refusal(socket):
            await _refuse(socket, *refusal)
            return
        self._sessions += 1
        try:
            voices = tuple(voice.name for voice in await self._engine.voices())
        except EngineError as error:
            await _refuse(socket, _not_ready(error.message), 1013)
        else:
            config = SessionConfig(
                self.model,
                "transcription" if socket.query_params.get("intent") == "transcription" else "realtime",
                voices=voices,
                max_session_s=self._settings.max_session_s,
            )
            session = Session(config, clock=time.time)
            services = Services(self._engine, self._vad, self._settings)
            await Connection(WebSocketTransport(socket), session, services).run()
        finally:
            self._sessions -= 1

    def _refusal(self, socket: WebSocket) -> tuple[ProtocolError, int] | None:
        """Why a client cannot have a session, and the close code: 4000 for good, 1013 for now."""
        if "realtime=v1" in socket.headers.get("openai-beta", ""):
            message = "The beta events are not available on this server; leave out the OpenAI-Beta header."
            return ProtocolError("beta_api_shape_disabled", message), 4000
        if not self._readiness.ready:
            message = self._readiness.failure or "The model is still loading; try again in a moment."
            return _not_ready(message), 1013
        if self._sessions >= self._settings.max_sessions:
            message = f"The server holds {self._settings.max_sessions} sessions, its limit. Try again later."
            return ProtocolError("session_limit_reached", message, kind="server_error"), 1013
        return None

    async def models(self, request: Request) -> Response:
        """`GET /v1/models` and `GET /v1/models/{id}`, in OpenAI's form."""
        model = {"id": self.model, "object": "model", "created": self._started, "owned_by": "chroma-realtime"}
        asked = request.path_params.get("model")
        if asked is None:
            return JSONResponse({"object": "list", "data": [model]})
        if asked == self.model:
            return JSONResponse(model)
        message = f"The model '{asked}' does not exist; this server has '{self.model}'."
        error = {
            "type": "invalid_request_error",
            "code": "model_not_found",
            "message": message,
            "param": "model",
        }
        return JSONResponse({"error": error}, 404)

    async def health(self, _: Request) -> Response:
        """`GET /health`: the process answers."""
        return JSONResponse({"status": "alive"})

    async def ready(self, _: Request) -> Response:
        """`GET /ready`: the engine has spoken, and sessions are taken."""
        if self._readiness.ready:
            return JSONResponse(
                {
                    "status": "ready",
                    "model": self.model,
                    "sessions": self._sessions,
                    # How far voice activity detection lags behind what was sent to it.
                    "unheard_s": round(self._vad.behind_s, 3),
                }
            )
        failure = self._readiness.failure
        status = {"status": "failed" if failure else "loading", "message": failure or "The model is loading."}
        return JSONResponse(status, 503)

    async def index(self, request: Request) -> Response:
        """`GET /`: where to go from here."""
        scheme = "wss" if request.url.scheme == "https" else "ws"
        return PlainTextResponse(
            f"chroma-realtime serves {self.model}.\nConnect an OpenAI Realtime client to"
            f" {scheme}://{request.url.netloc}/v1/realtime\n"
        )


async def _refuse(socket: WebSocket, error: ProtocolError, code: int) -> None:
    """As the live service does: the connection is taken, told why not, and closed."""
    event = {"type": "error", "event_id": random_id("event"), "error": error.body(None)}
    with contextlib.suppress(WebSocketDisconnect):
        await socket.send_text(encode(event))
        await socket.close(code, f"{error.kind}.{error.code}")


def _not_ready(message: str) -> ProtocolError:
    return ProtocolError("engine_not_ready", message, kind="server_error")


def create_app(gateway: Gateway) -> Starlette:
    """The app of one gateway. Clients whose base URL lacks `/v1` are served too."""
    routes = [
        Route("/", gateway.index),
        Route("/health", gateway.health),
        Route("/ready", gateway.ready),
        Route("/v1/models", gateway.models),
        Route("/v1/models/{model:path}", gateway.models),
        WebSocketRoute("/v1/realtime", gateway.realtime),
        WebSocketRoute("/realtime", gateway.realtime),
    ]
    return Starlette(routes=routes, lifespan=gateway.lifespan)
