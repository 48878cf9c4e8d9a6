"""The gateway: what all its routes share, and the sessions it holds."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal

from starlette.applications import Starlette

from engine import Engine, EngineError
from realtime.audio.turn_model import TurnModel
from realtime.audio.vad import VadWorker
from realtime.protocol.errors import ProtocolError
from realtime.server.access import Access, Caller
from realtime.server.client_secrets import ClientSecrets, signing_secret
from realtime.server.draining import Draining
from realtime.server.keys import Keyring
from realtime.server.limit_settings import Limits
from realtime.server.observe.metrics import Metrics
from realtime.server.observe.observers import Observers
from realtime.server.readiness import Readiness
from realtime.server.services import Services
from realtime.server.settings import ServerSettings
from realtime.server.watermark import MarkedEngine, find_marker
from realtime.session.config import SessionConfig

log = logging.getLogger(__name__)


_SESSION_LIMITS = tuple({one.name for one in fields(Limits)} & {one.name for one in fields(SessionConfig)})


def _nothing(*_: str) -> None:
    return None


def _post(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    """From the detector's thread into the loop, unless the loop is gone."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call)


def _turn_model() -> TurnModel | None:
    """None where it is not installed: then the engine judges pauses."""
    try:
        return TurnModel()
    except FileNotFoundError as error:
        log.info("semantic_vad asks the model itself, since there is no %s", error)
        return None


class Gateway:
    """The engine, the ear, who may come in, and how many there are.

    Args:
        transcriber: an engine beside the first that only transcribes, and the name clients call it by.
        on_ready, on_failure: exactly one is called, when loading has ended.

    Raises:
        EngineError: there is no such watermark as the settings name.
    """

    def __init__(
        self,
        engine: Engine,
        settings: ServerSettings,
        on_ready: Callable[[], None] = _nothing,
        on_failure: Callable[[str], None] = _nothing,
        *,
        access: Access | None = None,
        transcriber: Engine | None = None,
    ) -> None:
        marker = find_marker(settings.watermark) if settings.watermark else None
        self.engine = engine = MarkedEngine(engine, marker) if marker else engine
        self.settings = settings
        self.access = access or Access(Keyring(), ClientSecrets(signing_secret(None, None)))
        self.started = int(time.time())
        self.sessions = 0
        self.draining = Draining()
        self.observers = Observers.of(settings, self.model)
        self._transcriber = transcriber
        self._readiness = Readiness(engine, transcriber)
        self._on_ready, self._on_failure = on_ready, on_failure

    @property
    def metrics(self) -> Metrics:
        """What is counted."""
        return self.observers.metrics

    @property
    def model(self) -> str:
        """The id under which the model is listed: a folder goes by its name."""
        path = Path(self.engine.model)
        return path.resolve().name if path.is_dir() else self.engine.model

    @property
    def transcriber_name(self) -> str | None:
        """What clients call the model beside the engine that only transcribes."""
        return self._transcriber.model.partition(":")[2] if self._transcriber else None

    def transcriber_for(self, model: str) -> Engine:
        """Who transcribes for a client that names this model."""
        return self._transcriber if self._transcriber and model == self.transcriber_name else self.engine

    @property
    def services(self) -> Services:
        """What a connection needs. Only while the server runs."""
        return self._services

    @property
    def ready(self) -> bool:
        """The engine has spoken."""
        return self._readiness.ready

    @property
    def failure(self) -> str | None:
        """Why it never will."""
        return self._readiness.failure

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        """Open and close everything that lives as long as the server."""
        vad = VadWorker(functools.partial(_post, asyncio.get_running_loop()))
        judging = ThreadPoolExecutor(1, thread_name_prefix="end-of-turn")
        self._services = Services(
            self.engine,
            vad,
            self.settings,
            self.observers,
            self._transcriber,
            _turn_model(),
            judging,
            self.draining,
        )
        self.metrics.watch(lag=lambda: vad.behind_s, ready=lambda: self.ready)
        self._readiness.start(self._on_ready, self._on_failure)
        try:
            yield
        finally:
            await self._readiness.stop()
            vad.close()
            judging.shutdown(wait=False, cancel_futures=True)
            await asyncio.to_thread(self.observers.close)

    def check_ready(self) -> None:
        """Raises ProtocolError `server_stopping`, `engine_not_ready`."""
        if self.draining.stopping:
            message = "The server is being stopped; try another, or again in a moment."
            raise ProtocolError("server_stopping", message, kind="server_error")
        if not self.ready:
            message = self.failure or "The model is still loading; try again in a moment."
            raise ProtocolError("engine_not_ready", message, kind="server_error")

    @contextlib.contextmanager
    def session(self, caller: Caller) -> Iterator[None]:
        """A place for one session.

        Raises:
            ProtocolError: `session_limit_reached`.
        """
        if self.sessions >= self.settings.max_sessions:
            message = f"The server holds {self.settings.max_sessions} sessions, its limit. Try again later."
            raise ProtocolError("session_limit_reached", message, kind="server_error")
        with self.access.session(caller):
            self.sessions += 1
            self.metrics.opened.inc()
            self.metrics.sessions.set(self.sessions)
            try:
                yield
            finally:
                self.sessions -= 1
                self.metrics.sessions.set(self.sessions)

    async def session_config(
        self,
        kind: Literal["realtime", "transcription"],
        caller: Caller | None = None,
        initial: dict[str, Any] | None = None,
        *,
        server_plays: bool = False,
    ) -> SessionConfig:
        """What a session of this caller begins with.

        Raises:
            ProtocolError: `engine_not_ready`.
        """
        try:
            voices = tuple(voice.name for voice in await self.engine.voices())
        except EngineError as error:
            raise ProtocolError("engine_not_ready", error.message, kind="server_error") from None
        return SessionConfig(
            self.model,
            kind,
            initial=initial,
            voices=voices,
            transcriber=self.transcriber_name,
            meter=caller.meter if caller else None,
            server_plays=server_plays,
            early_answers=self.settings.early_answers,
            **{name: getattr(self.settings, name) for name in _SESSION_LIMITS},
        )
