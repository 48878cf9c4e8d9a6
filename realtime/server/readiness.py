"""Is the server ready? Only after the engine has really spoken."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from engine import AudioDelta, Engine, EngineError, Finished, Message, Request, Text

log = logging.getLogger(__name__)

_FIRST_WORDS = Request(
    id="resp_readiness000000000000",
    messages=(Message("user", (Text("Say hello."),)),),
    max_tokens=32,
)


class Readiness:
    """Loads the engine beside the running server.

    `ready` turns true after a real synthesis; `failure` says in one line why it never will.
    """

    def __init__(self, engine: Engine, transcriber: Engine | None = None) -> None:
        self._engine = engine
        self._transcriber = transcriber
        self.ready = False
        self.failure: str | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, on_ready: Callable[[], None], on_failure: Callable[[str], None]) -> None:
        """Begin to load; exactly one of the two is called when that has ended."""
        self._task = asyncio.create_task(self._prepare(on_ready, on_failure))

    async def stop(self) -> None:
        """Stop loading, and close the engine."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.ready = False
        await self._engine.close()
        if self._transcriber:
            await self._transcriber.close()

    async def _prepare(self, on_ready: Callable[[], None], on_failure: Callable[[str], None]) -> None:
        try:
            await self._engine.open()
            await self._speak()
            if self._transcriber:
                await self._transcriber.open()
        except EngineError as error:
            self.failure = error.message
            on_failure(error.message)
        except Exception as error:
            log.exception("the engine did not start")
            self.failure = f"the engine did not start: {error}"
            on_failure(self.failure)
        else:
            self.ready = True
            on_ready()

    async def _speak(self) -> None:
        """Raises EngineError `not_speaking` where no sound comes out."""
        sound = 0
        async for event in self._engine.respond(_FIRST_WORDS):
            if isinstance(event, AudioDelta):
                sound += len(event.pcm)
            elif isinstance(event, Finished) and event.reason == "failed":
                raise EngineError(event.code or "not_speaking", f"the first words failed: {event.message}")
        if not sound:
            raise EngineError("not_speaking", "the model made no sound for its first words")
