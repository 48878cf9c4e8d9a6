"""One client's connection: frames to the session, and its effects carried out in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Coroutine, Iterable
from typing import Any

from engine import Engine, Finished, Request
from realtime.audio.vad import VadStream
from realtime.server.limits import Bucket
from realtime.server.observe.watch import FirstSound, Watch
from realtime.server.services import Services
from realtime.server.transport import GoneError, Player, Transport
from realtime.server.wire import encode, encode_audio
from realtime.session.effects import (
    Cancel,
    ClearPlayback,
    Close,
    Detect,
    Effect,
    Forget,
    Judge,
    Listen,
    ResetDetector,
    Send,
    SendAudio,
    Start,
)
from realtime.session.session import Session

log = logging.getLogger(__name__)

_CLOSE_GRACE_S = 5.0
_EAR_PAUSE_S = 0.02
_FAIR = 16
_FAIR_BYTES = 64 * 1024
"""Events of one session, and bytes of them, that may be taken before others have their turn."""


class Connection:
    """Owns the session's surroundings: its transport, its running answers, its ear. `player` plays the
    answers where the transport carries sound beside the events."""

    def __init__(
        self, transport: Transport, session: Session, services: Services, player: Player | None = None
    ) -> None:
        self._transport = transport
        self._session = session
        self._services = services
        self._engine = services.engine
        self._settings = services.settings
        self._player = player
        self._unsent: deque[str | Close | FirstSound] = deque()
        self._unsent_bytes = 0
        self._to_send = asyncio.Event()
        self._closing = False
        self._leaving = False
        self._closed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._transcribed: set[str] = set()
        """Requests that the transcriber answers."""
        self._ear: VadStream
        self._hears = True
        self._watch = Watch(session, services.observers)
        rate = self._settings.max_events_per_s
        self._pace = Bucket(int(2 * rate) or 1, time.monotonic, rate)
        self._taken = self._taken_bytes = 0
        self._too_fast = False
        self._fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """What is wrong with this session, of what came by its transport."""

    async def run(self) -> None:
        """Serve until either side closes."""
        # Not before: who listens is held by the detector, and a call may end before it is run.
        self._ear = self._services.vad.stream(self._heard, self._deaf)
        with self._services.draining.guest(self):
            await self._run()

    async def _run(self) -> None:
        self._watch.opened()
        self._perform(self._session.open())
        # The sender ends with a close of ours, the receiver with one of the client's.
        works = (self._send(), self._transport.read(self), self._tick(), self._abandon())
        tasks = [asyncio.create_task(work) for work in works]
        try:
            done, _ = await asyncio.wait([*tasks, self._fault], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if error := task.exception():
                    log.error("a session broke", exc_info=error)
                    await self._break()
        finally:
            self._closing = True
            self._ear.close()
            self._perform(self._session.close())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._end_answers()
            self._watch.closed()

    async def _break(self) -> None:
        """Tell the client that the fault is here."""
        with contextlib.suppress(GoneError, TimeoutError):
            async with asyncio.timeout(_CLOSE_GRACE_S):
                await self._transport.close(1011, "server_error.internal_error")

    async def _end_answers(self) -> None:
        """They end by the cancel that the session has just asked for; an engine that hangs is left."""
        if not self._tasks:
            return
        _, hung = await asyncio.wait(self._tasks, timeout=_CLOSE_GRACE_S)
        for task in hung:
            task.cancel()

    def receive(self, frame: str | bytes) -> None:
        """The transport's next frame."""
        self._taken += 1
        self._taken_bytes += len(frame)
        try:
            if isinstance(frame, str):
                effects = self._session.receive(frame)
            else:
                effects = self._session.receive_binary(frame)
            self._watch.received(frame)
            self._perform(effects)
        except Exception as error:
            if not self._fault.done():
                self._fault.set_exception(error)

    def pause(self) -> float | None:
        """Seconds for which nothing is read: a client that floods, or that nobody can listen to any faster,
        is made to wait, and nobody else; TCP carries it back. The ear's thread only counts, it signals
        nothing, so that it never waits for a loop."""
        if self._ear.behind_s > self._settings.max_unheard_s:
            return _EAR_PAUSE_S
        turn_over = self._taken >= _FAIR or self._taken_bytes >= _FAIR_BYTES
        if turn_over:
            self._pace.take(self._taken)
            self._taken = self._taken_bytes = 0
        elif not self._too_fast:
            return None
        wait = self._pace.seconds_until(0)
        self._too_fast = wait > 0
        return wait if turn_over or wait else None

    async def _send(self) -> None:
        while True:
            while not self._unsent:
                self._to_send.clear()
                await self._to_send.wait()
            frame = self._unsent.popleft()
            try:
                if isinstance(frame, Close):
                    await self._transport.close(frame.code, frame.reason)
                    return
                if isinstance(frame, FirstSound):
                    self._watch.sent(frame)
                    continue
                self._unsent_bytes -= len(frame)
                await self._transport.send(frame)
            except GoneError:
                return

    async def _abandon(self) -> None:
        """Ends the connection some seconds after a close that the client does not take."""
        await self._closed.wait()
        await asyncio.sleep(_CLOSE_GRACE_S)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._settings.tick_s)
            self._perform(self._session.tick())
            # What is played ends without an event.
            self._leave_if_done()

    def leave_when_done(self) -> None:
        self._leaving = True
        self._leave_if_done()

    def leave_now(self) -> None:
        self.take(self._session.stop())

    def _leave_if_done(self) -> None:
        if self._leaving and not self._session.busy:
            self.leave_now()

    def take(self, effects: Iterable[Effect]) -> None:
        """Carry out what the session said to something that did not come by the transport."""
        if not self._closing:
            self._watch.received()
            self._perform(effects)

    async def _answer(self, engine: Engine, request: Request) -> None:
        """Let the engine answer; whatever breaks, the session hears of exactly one end."""
        self._watch.asked(request.id)
        try:
            async for event in engine.respond(request):
                self._watch.engine(request.id, event)
                self._perform(self._session.engine(request.id, event))
        except Exception as error:
            log.exception("answer %s broke", request.id)
            failed = Finished("failed", code="engine_error", message=f"The answer broke: {error}")
            self._perform(self._session.engine(request.id, failed))
        finally:
            self._transcribed.discard(request.id)
            self._leave_if_done()

    def _heard(self, epoch: int, probabilities: list[float]) -> None:
        if not self._closing:
            self._perform(self._session.heard(epoch, probabilities))

    async def _judge(self, pause: Judge) -> None:
        probability = await self._services.turn_over(pause.pcm)
        self.take(self._session.judged(pause.pause, probability))

    def _deaf(self, message: str) -> None:
        """The detector cannot hear this session any more: told once, whatever it was still given."""
        if self._hears and not self._closing:
            self._hears = False
            self._perform(self._session.detector_failed(message))

    def _perform(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Detect(epoch, pcm):
                    if self._hears:
                        self._ear.feed(epoch, pcm)
                case SendAudio():
                    first = self._watch.sound(effect)
                    if self._player:
                        self._player.play(effect)
                    else:
                        for frame in encode_audio(effect):
                            self._queue(frame)
                    if first:
                        self._mark(first)
                case Send(event):
                    self._watch.event(event)
                    self._queue(encode(event))
                case ResetDetector(epoch):
                    self._ear.reset(epoch)
                case Start(request, transcriber):
                    self._start(request, transcriber)
                case Judge():
                    self._spawn(self._judge(effect))
                case Listen(audio, before):
                    self._spawn(self._engine.listen(audio, before))
                case Cancel(request_id):
                    self._spawn(self._answerer(request_id).cancel(request_id))
                case Forget(audio_ids):
                    self._spawn(self._forget(audio_ids))
                case ClearPlayback():
                    if self._player:
                        self._player.clear()
                case Close():
                    self._close(effect)

    def _start(self, request: Request, transcriber: bool) -> None:
        if self._closing:
            return
        if transcriber:
            self._transcribed.add(request.id)
        self._spawn(self._answer(self._answerer(request.id), request))

    def _answerer(self, request_id: str) -> Engine:
        """Who answers, or answered, this request."""
        other = self._services.transcriber
        return other if other and request_id in self._transcribed else self._engine

    async def _forget(self, audio_ids: tuple[str, ...]) -> None:
        for engine in filter(None, (self._engine, self._services.transcriber)):
            await engine.forget(audio_ids)

    def _queue(self, frame: str) -> None:
        if self._closing:
            return
        self._unsent.append(frame)
        self._unsent_bytes += len(frame)
        self._to_send.set()
        if self._unsent_bytes > self._settings.max_unsent_bytes:
            # Nobody will read what waits: it makes room for the close.
            self._unsent.clear()
            self._close(Close(1008, "client_too_slow: events were not read as fast as they came"))

    def _mark(self, first: FirstSound) -> None:
        """The sender tells of it once all before it has left."""
        if not self._closing:
            self._unsent.append(first)
            self._to_send.set()

    def _close(self, close: Close) -> None:
        self._closing = True
        # Whoever still takes the close may take its time: no answer is made meanwhile.
        self._perform(self._session.close())
        self._closed.set()
        self._unsent.append(close)
        self._to_send.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget_task)

    def _forget_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a session's task failed", exc_info=error)
