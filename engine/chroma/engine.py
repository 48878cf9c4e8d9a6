"""The Chroma engine: a loaded model and its frame loop in a thread, behind the wall."""

from __future__ import annotations

import asyncio
import logging
import math
import queue
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TypeVar, cast

from engine.api import (
    Audio,
    Engine,
    EngineError,
    Event,
    Finished,
    Reference,
    Request,
    Started,
    Voice,
)
from engine.chroma.checkpoint import locate
from engine.chroma.ears import Ears
from engine.chroma.graphs import rungs
from engine.chroma.jobs import Jobs
from engine.chroma.llama import KvPool
from engine.chroma.model import (
    ChromaModel,
    load_model,
    pick_device,
    pick_dtype,
    pick_reasoner,
    pick_recorder,
    use_device,
)
from engine.chroma.narrator import Emit, Narrator
from engine.chroma.voices import VoicePrompts
from engine.runtime import admission
from engine.runtime.loop import FRAME_SECONDS, FrameLoop
from engine.settings import EngineSettings
from engine.stats import EngineStats
from engine.tool_calls import call_reader
from engine.voices.store import StoredVoice, VoiceStore

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")


class ChromaEngine(Engine):
    """Answers in a cloned voice. The model belongs to one thread; everything else only sends to it."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self.model = settings.model
        self._voices = VoiceStore(settings.voices_dir, settings.model)
        self._commands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._running: dict[str, frozenset[str]] = {}
        """Requests under way, and the sounds that each holds."""
        self._forgotten: frozenset[str] = frozenset()
        """Sounds that left while such a request holds them: it may hear them yet."""
        self._cancelled: set[str] = set()

    async def open(self) -> None:
        await asyncio.to_thread(self._load)
        self._thread = threading.Thread(target=self._run, name="chroma-frame-loop", daemon=True)
        self._thread.start()

    def _load(self) -> None:
        settings = self._settings
        device = pick_device(settings.device)
        use_device(device)
        self._chroma: ChromaModel = load_model(
            locate(settings.model, settings.revision),
            slots=settings.slots,
            top_k=settings.top_k,
            device=device,
            dtype=pick_dtype(settings.dtype, device),
            weights=settings.weights,
            context=settings.context,
            recorder=pick_recorder(device, cuda_graphs=settings.cuda_graphs),
            fused_kernels=settings.fused_kernels,
            runner=pick_reasoner(settings.reasoner, device, weights=settings.weights, tp=settings.tp),
            tp=settings.tp,
            sglang=settings.sglang,
        )
        try:
            self._prepare()
        except BaseException:
            self._chroma.reasoner.close()
            raise

    def _prepare(self) -> None:
        self._loop = FrameLoop(self._chroma.reasoner, self._chroma.speaker)
        self._prompts = VoicePrompts(self._chroma)
        self._ears = Ears(self._chroma)
        self._jobs = Jobs(self._settings, self._chroma, self._ears, self._prompts)
        # Encoding the default voice now means that a broken one is found at start-up, not in a call.
        voice = self._prompts.get(self._voice(None))
        if self._settings.admission:
            self._loop.capacity = self._measure(voice)

    def _measure(self, voice: KvPool) -> int:
        """How many answers this machine speaks at once."""
        slots = self._settings.slots
        # What else a CPU is busy with just now tells nothing of what it can do.
        clock = time.thread_time if self._chroma.speaker.device.type == "cpu" else time.perf_counter
        loop = FrameLoop(self._chroma.reasoner, self._chroma.speaker, ahead=math.inf)
        seconds = admission.measure(loop, self._jobs.trial(voice, slots), rungs(slots), clock)
        capacity, most = admission.capacity(seconds), max(seconds)
        if capacity < slots:
            log.warning(
                "this machine speaks %d answers at once, not %d: a frame of %d takes %.0f ms of its %.0f",
                capacity,
                slots,
                most,
                1000 * seconds[most],
                1000 * FRAME_SECONDS,
            )
        return capacity

    def _voice(self, name: str | None) -> StoredVoice:
        """The voice of this name; None is the default one."""
        if name is not None:
            return self._voices.get(name)
        stored = self._voices.ordered(self._settings.voice)
        if not stored:
            raise EngineError(
                "voice_missing",
                'there is no voice to speak in: chroma-realtime voice add NAME sample.wav --text "…"',
            )
        return stored[0]

    async def close(self) -> None:
        if self._thread is None:
            return
        self._commands.put(None)
        await asyncio.to_thread(self._thread.join)
        self._thread = None
        await asyncio.to_thread(self._chroma.reasoner.close)
        for part, graphs in self._chroma.graphs.items():
            if graphs.on:
                log.info("%s: %s", part, graphs.counts)

    def respond(self, request: Request) -> AsyncIterator[Event]:
        if request.id in self._running:
            message = f"a request with id {request.id!r} is running already"
            return _only(Finished("failed", code="duplicate_request", message=message))
        if self._thread is None:
            return _only(Finished("failed", code="engine_closed", message="the engine is closed"))
        # Known from here on, so that a cancel is not lost which comes before the first event is asked for.
        self._running[request.id] = frozenset(sound.id for sound in request.sounds())
        return self._answer(request)

    async def _answer(self, request: Request) -> AsyncIterator[Event]:
        events: asyncio.Queue[Event] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def emit(event: Event) -> None:
            # The loop may be gone when a process ends in the middle of an answer.
            if not loop.is_closed():
                loop.call_soon_threadsafe(events.put_nowait, event)

        try:
            # Voices lie on disk: looked up here, so that the frame loop never waits for a file.
            voice: StoredVoice | Reference | None = None
            if isinstance(request.voice, Reference):
                voice = request.voice if request.speak else None
            elif request.speak:
                voice = await asyncio.to_thread(self._voice, request.voice)
            self._commands.put(lambda: self._start(request, voice, emit))
            while True:
                event = await events.get()
                yield event
                if isinstance(event, Finished):
                    return
        except EngineError as error:
            yield Finished("failed", code=error.code, message=error.message)
        finally:
            self._running.pop(request.id, None)
            self._cancelled.discard(request.id)
            self._commands.put(lambda: self._loop.cancel(request.id))

    async def cancel(self, request_id: str) -> None:
        if request_id in self._running:
            self._cancelled.add(request_id)
        self._commands.put(lambda: self._loop.cancel(request_id))

    async def listen(self, audio: Audio, before: Request | None = None) -> None:
        def hear() -> None:
            try:
                self._ears.hear_more(audio, before)
            except Exception as error:
                # Nothing is lost: the request brings the whole sound.
                log.exception("sound %s could not be heard ahead", audio.id)
                self._loop.failure("hearing", error)
                self._ears.forget(audio.id)

        self._commands.put(hear)

    async def forget(self, audio_ids: Sequence[str]) -> None:
        held = frozenset[str]().union(*self._running.values())
        self._forgotten = (self._forgotten | frozenset(audio_ids)) & held

        def drop() -> None:
            for audio_id in audio_ids:
                self._ears.forget(audio_id)
                self._prompts.forget(audio_id)

        self._commands.put(drop)

    async def turn_over(self, audio: Audio) -> float:
        if self._thread is None:
            raise EngineError("engine_closed", "the engine is closed")
        return await self._ask(lambda: self._jobs.judge(audio))

    async def stats(self) -> EngineStats:
        if self._thread is None:
            raise EngineError("engine_closed", "the engine is closed")
        return await self._ask(self._stats)

    def _stats(self) -> EngineStats:
        if self._loop.broken:
            raise self._loop.broken
        tokens, room = self._chroma.reasoner.kv()
        counts = {part: graphs.counts for part, graphs in self._chroma.graphs.items() if graphs.on}
        steps = {part: (count.hits, count.misses) for part, count in counts.items()}
        return replace(self._loop.stats(), kv_tokens=tokens, kv_room=room, steps=steps)

    async def _ask(self, question: Callable[[], Answer | Future[Answer]]) -> Answer:
        """What a question put in the engine's thread is answered, there or later. Raises EngineError where it
        cannot be."""
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Answer] = loop.create_future()

        def tell(answer: Answer | None, error: EngineError | None) -> None:
            if reply.done():
                return
            if error is not None:
                reply.set_exception(error)
            else:
                reply.set_result(cast(Answer, answer))

        def say(answered: Future[Answer]) -> None:
            answer, error = None, None
            try:
                answer = answered.result()
            except EngineError as wrong:
                error = wrong
            except Exception as wrong:
                log.error("a question to the engine could not be answered", exc_info=wrong)
                error = self._loop.failure("the engine", wrong)
            if not loop.is_closed():
                loop.call_soon_threadsafe(tell, answer, error)

        def ask() -> None:
            answered: Future[Answer] = Future()
            try:
                found = question()
                if isinstance(found, Future):
                    answered = found
                else:
                    answered.set_result(found)
            except Exception as wrong:
                answered.set_exception(wrong)
            answered.add_done_callback(say)

        self._commands.put(ask)
        return await reply

    async def voices(self) -> list[Voice]:
        stored = await asyncio.to_thread(self._voices.ordered, self._settings.voice)
        return [voice.described() for voice in stored]

    def _run(self) -> None:
        """The engine's thread: commands between turns, so that a cancel takes effect within one frame."""
        use_device(self._chroma.speaker.device)
        rest = 0.0
        while True:
            try:
                busy = self._loop.busy
                command = self._commands.get(block=not busy or rest > 0, timeout=rest if busy else None)
            except queue.Empty:
                rest = self._loop.turn()
                continue
            rest = 0.0
            if command is None:
                self._loop.fail_all(EngineError("engine_closed", "the engine was closed"))
                return
            command()

    def _start(self, request: Request, voice: StoredVoice | Reference | None, emit: Emit) -> None:
        """Make a job of a request; a request that cannot be answered fails here, alone."""
        if request.id in self._cancelled:
            emit(Finished("cancelled"))
            return
        if request.only_if_room and not self._loop.roomy:
            emit(Finished("failed", code="no_room", message="more than half of the slots are taken"))
            return
        try:
            job, left_out = self._jobs.make(request, voice)
        except EngineError as error:
            emit(Finished("failed", code=error.code, message=error.message))
        except Exception as error:
            log.exception("request %s could not be prepared", request.id)
            why = self._loop.failure("reading the request", error)
            emit(Finished("failed", code=why.code, message=why.message))
        else:
            narrator = Narrator(self._chroma, job, call_reader(request), emit)
            emit(Started(narrator.usage(), left_out))
            self._loop.submit(job, narrator)
        finally:
            for audio_id in self._forgotten.intersection(sound.id for sound in request.sounds()):
                self._ears.forget(audio_id)


async def _only(event: Event) -> AsyncIterator[Event]:
    yield event
