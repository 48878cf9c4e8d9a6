"""The gateway on uvicorn, from its socket to its end."""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import ssl
import sys

import uvicorn
from starlette.applications import Starlette

from engine import Engine, EngineError
from realtime.server.access import Access
from realtime.server.app import create_app
from realtime.server.client_secrets import SECRET_ENVIRONMENT, ClientSecrets, signing_secret
from realtime.server.frames import FrameProtocol
from realtime.server.gateway import Gateway
from realtime.server.graceful import GracefulServer
from realtime.server.keys import KEYS_ENVIRONMENT, read_keys
from realtime.server.origins import LOOPBACK
from realtime.server.punctual import PunctualProtocol
from realtime.server.settings import ServerSettings


def server_config(app: Starlette, settings: ServerSettings) -> uvicorn.Config:
    """How uvicorn serves the app."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=functools.partial(  # type: ignore[arg-type]
            PunctualProtocol, max_connections=settings.max_connections, max_head_s=settings.max_head_s
        ),
        ws=FrameProtocol,
        ws_ping_interval=settings.ping_s,
        ws_ping_timeout=settings.ping_s,
        ws_max_size=settings.max_frame_bytes,
        # Speech does not deflate, and each session would pay for its window.
        ws_per_message_deflate=False,
        ssl_certfile=settings.ssl_certfile,
        ssl_keyfile=settings.ssl_keyfile,
        timeout_graceful_shutdown=5,
        log_config=None,
        log_level="warning",
    )


class Serving:
    """One server from its socket to its end."""

    def __init__(self, engine: Engine, settings: ServerSettings, transcriber: Engine | None = None) -> None:
        self._settings = settings
        self._failure: str | None = None
        keys = read_keys(settings.keys_file, os.environ.get(KEYS_ENVIRONMENT))
        secret = signing_secret(settings.secret_file, os.environ.get(SECRET_ENVIRONMENT))
        if not keys and not settings.open and settings.host not in LOOPBACK:
            raise EngineError(
                "keys_missing",
                f"there are no keys, so anybody who reaches {settings.host} could talk: give --keys FILE"
                f" (or {KEYS_ENVIRONMENT}), or --open to let everybody in",
            )
        gateway = Gateway(
            engine,
            settings,
            on_ready=self._tell_ready,
            on_failure=self._fail,
            access=Access(keys, ClientSecrets(secret)),
            transcriber=transcriber,
        )
        self._model = gateway.model
        self._socket = _listen(settings)
        config = server_config(create_app(gateway), settings)
        self._server = GracefulServer(config, gateway.draining, settings.drain_s)

    @property
    def address(self) -> str:
        """Base URL, the port really taken included."""
        host, port = self._socket.getsockname()[:2]
        scheme = "wss" if self._settings.ssl_certfile else "ws"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    def run(self) -> int:
        """Serve until stopped; returns the exit code."""
        print(f"Loading {self._model} …", file=sys.stderr, flush=True)
        try:
            with asyncio.Runner(loop_factory=self._server.config.get_loop_factory()) as runner:
                runner.run(self._server.serve(sockets=[self._socket]))
        except KeyboardInterrupt:
            pass
        if self._failure:
            print(f"chroma-realtime: {self._failure}", file=sys.stderr)
        return 1 if self._failure else 0

    def stop(self) -> None:
        """End `run`, from any thread: answers end, sessions are closed with 1001, then the engine is."""
        self._server.should_exit = True

    def _tell_ready(self) -> None:
        print(
            f"Ready: {self.address}/v1/realtime speaks {self._model}.\n"
            f"Talk to it in a browser: {self.address.replace('ws', 'http', 1)}/\n"
            f"Try it: chroma-realtime talk question.wav --out answer.wav --url {self.address}/v1/realtime",
            file=sys.stderr,
            flush=True,
        )

    def _fail(self, message: str) -> None:
        self._failure = message
        self.stop()


def _listen(settings: ServerSettings) -> socket.socket:
    """The listening socket. Raises EngineError where it, or the certificate, cannot be used."""
    if settings.ssl_certfile:
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile)
        except (OSError, ssl.SSLError) as error:
            raise EngineError("invalid_certificate", f"{settings.ssl_certfile}: {error}") from None
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listener = socket.create_server((settings.host, settings.port), family=family, backlog=1024)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise EngineError("address_unavailable", f"cannot listen on {where}: {error.strerror}") from None
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # Connections inherit it. Without, a client that reads no more keeps its place for ever: no close
        # can reach it, and what waits for it never drains.
        milliseconds = int(settings.stalled_s * 1000)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    return listener
