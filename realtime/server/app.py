"""The Starlette app: which route is whose."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute

from realtime.protocol.errors import ProtocolError
from realtime.server.gate import Gate
from realtime.server.gateway import Gateway
from realtime.server.guard import Guard
from realtime.server.observe.requests import CountRequests
from realtime.server.page_files import PageRoutes
from realtime.server.rest import openapi
from realtime.server.rest.answering import ClientGone
from realtime.server.rest.chat import ChatRoutes
from realtime.server.rest.errors import answer_error, answer_unrouted
from realtime.server.rest.secrets import SecretRoutes
from realtime.server.rest.speech import SpeechRoutes
from realtime.server.rest.transcriptions import TranscriptionRoutes
from realtime.server.rest.voices import VoiceRoutes
from realtime.server.sockets import SocketRoutes
from realtime.server.webrtc.routes import CallRoutes


class Status:
    """What a load balancer, or a client before it begins, asks."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def health(self, _: Request) -> Response:
        """`GET /health`: the process answers."""
        return JSONResponse({"status": "alive"})

    async def ready(self, _: Request) -> Response:
        """`GET /ready`: the engine has spoken, and sessions are taken."""
        gateway = self._gateway
        if gateway.draining.stopping:
            return JSONResponse({"status": "stopping", "message": "The server is being stopped."}, 503)
        if gateway.ready:
            return JSONResponse(
                {
                    "status": "ready",
                    "model": gateway.model,
                    "sessions": gateway.sessions,
                    # How far voice activity detection lags behind what was sent to it.
                    "unheard_s": round(gateway.services.vad.behind_s, 3),
                }
            )
        failure = gateway.failure
        status = {"status": "failed" if failure else "loading", "message": failure or "The model is loading."}
        return JSONResponse(status, 503)

    async def openapi(self, _: Request) -> Response:
        """`GET /openapi.json`."""
        return JSONResponse(openapi.document())

    async def metrics(self, request: Request) -> Response:
        """`GET /metrics`, for Prometheus."""
        gateway = self._gateway
        text, kind = await gateway.metrics.render(gateway.engine, request.headers.get("accept", ""))
        return Response(text, headers={"Content-Type": kind})

    async def models(self, request: Request) -> Response:
        """`GET /v1/models` and `GET /v1/models/{id}`, in OpenAI's form."""
        name = self._gateway.model
        model = {
            "id": name,
            "object": "model",
            "created": self._gateway.started,
            "owned_by": "chroma-realtime",
        }
        asked = request.path_params.get("model")
        if asked is None:
            return JSONResponse({"object": "list", "data": [model]})
        if asked == name:
            return JSONResponse(model)
        message = f"The model '{asked}' does not exist; this server has '{name}'."
        raise ProtocolError("model_not_found", message, "model")


def create_app(gateway: Gateway) -> Starlette:
    """The app of one gateway. Clients whose base URL lacks `/v1` are served too."""
    page, status = PageRoutes(gateway), Status(gateway)
    sockets, secrets = SocketRoutes(gateway), SecretRoutes(gateway)
    voices, calls = VoiceRoutes(gateway), CallRoutes(gateway)
    routes: list[BaseRoute] = [
        Route("/", page.index),
        Mount("/page", page.files),
        Route("/health", status.health),
        Route("/ready", status.ready),
        Route("/metrics", status.metrics),
        Route("/openapi.json", status.openapi),
        Route("/v1/models", status.models),
        Route("/v1/models/{model:path}", status.models),
        Route("/v1/chat/completions", ChatRoutes(gateway).create, methods=["POST"]),
        Route("/v1/audio/speech", SpeechRoutes(gateway).create, methods=["POST"]),
        Route("/v1/audio/transcriptions", TranscriptionRoutes(gateway).create, methods=["POST"]),
        Route("/v1/audio/voices", voices.list, methods=["GET"]),
        Route("/v1/audio/voices", voices.add, methods=["POST"]),
        Route("/v1/audio/voices/{name}", voices.delete, methods=["DELETE"]),
    ]
    for base in ("/v1", ""):
        routes += [
            WebSocketRoute(f"{base}/realtime", sockets.realtime),
            Route(f"{base}/realtime/calls", calls.create, methods=["POST"]),
            Route(f"{base}/realtime/calls/{{call}}/hangup", calls.hang_up, methods=["POST"]),
            Route(f"{base}/realtime/calls/{{call}}/{{verb}}", calls.refuse, methods=["POST"]),
            Route(f"{base}/realtime/client_secrets", secrets.create, methods=["POST"]),
            Route(f"{base}/realtime/sessions", secrets.create_beta, methods=["POST"]),
            Route(
                f"{base}/realtime/transcription_sessions",
                secrets.create_beta_transcription,
                methods=["POST"],
            ),
        ]
    app = Starlette(
        routes=routes,
        lifespan=gateway.lifespan,
        middleware=[
            Middleware(CountRequests, metrics=gateway.metrics),
            Middleware(Gate, gateway=gateway),
            *_shared_with(gateway.settings.origins),
            Middleware(Guard, access=gateway.access, metrics=gateway.metrics),
        ],
        exception_handlers={
            ProtocolError: answer_error,
            ClientGone: answer_error,
            HTTPException: answer_unrouted,
        },
    )
    app.state.metrics = gateway.metrics
    return app


def _shared_with(origins: tuple[str, ...]) -> list[Middleware]:
    """What lets a browser show our answers to the pages of other sites."""
    if not origins:
        return []
    shared = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["*"],
        allow_headers=["*"],
        expose_headers=["Location"],
    )
    return [shared]
