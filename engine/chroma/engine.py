"""The Chroma engine: a loaded model and its frame loop in a thread, behind the wall."""

from __future__ import annotations

import asyncio
import logging
import queue
import random
import threading
from collections.abc import AsyncIterator, Callable, Sequence

from engine.api import (
    SAMPLE_RATE,
    Audio,
    Engine,
    EngineError,
    Event,
    Finished,
    Message,
    Reference,
    Request,
    Started,
    Text,
    Voice,
)
from engine.chroma.checkpoint import locate
from engine.chroma.ears import Ears
from engine.chroma.hearing import joined
from engine.chroma.llama import KvPool
from engine.chroma.model import ChromaModel, load_model, pick_device, pick_dtype, pick_recorder, use_device
from engine.chroma.narrator import Emit, Narrator
from engine.chroma.reasoner import ReasonerPrompt
from engine.chroma.speaker import Sampling
from engine.chroma.voices import VoicePrompts
from engine.fitting import fit
from engine.runtime.loop import FrameLoop, Job
from engine.settings import EngineSettings
from engine.tool_calls import call_reader, forced_text
from engine.voices.store import StoredVoice, VoiceStore

log = logging.getLogger(__name__)

_COMMON_ANSWER = 512
"""Tokens of text that a long answer takes."""
_TURN_QUESTION = (
    "You hear somebody speak. Has the speaker finished, so that it is your turn to answer, or will the"
    " speaker go on? Say Yes for finished, No for going on."
)
_YES, _NO = ("Yes", "yes", " Yes", " yes"), ("No", "no", " No", " no")


class ChromaEngine(Engine):
    """Answers in a cloned voice. The model belongs to one thread; everything else only sends to it."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self.model = settings.model
        self._voices = VoiceStore(settings.voices_dir)
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
        )
        self._loop = FrameLoop(self._chroma.reasoner, self._chroma.speaker)
        self._prompts = VoicePrompts(self._chroma)
        self._ears = Ears(self._chroma)
        # Encoding the default voice now means that a broken one is found at start-up, not in a call.
        self._prompts.get(self._voice(None))

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
            except Exception:
                # Nothing is lost: the request brings the whole sound.
                log.exception("sound %s could not be heard ahead", audio.id)
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
        loop = asyncio.get_running_loop()
        verdict: asyncio.Future[float] = loop.create_future()

        def tell(probability: float | None, error: EngineError | None) -> None:
            if verdict.done():
                return
            if probability is None:
                verdict.set_exception(error or EngineError("engine_error", "no verdict"))
            else:
                verdict.set_result(probability)

        def judge() -> None:
            probability, error = None, None
            try:
                probability = self._judge(audio)
            except EngineError as wrong:
                error = wrong
            except Exception as wrong:
                log.exception("a pause could not be judged")
                error = EngineError("engine_error", f"the pause could not be judged: {wrong}")
            if not loop.is_closed():
                loop.call_soon_threadsafe(tell, probability, error)

        self._commands.put(judge)
        return await verdict

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
        try:
            job, left_out = self._job(request, voice)
        except EngineError as error:
            emit(Finished("failed", code=error.code, message=error.message))
        except Exception as error:
            log.exception("request %s could not be prepared", request.id)
            emit(Finished("failed", code="engine_error", message=f"the request failed: {error}"))
        else:
            narrator = Narrator(self._chroma, job, call_reader(request), emit)
            emit(Started(narrator.usage(), left_out))
            self._loop.submit(job, narrator)
        finally:
            for audio_id in self._forgotten.intersection(sound.id for sound in request.sounds()):
                self._ears.forget(audio_id)

    def _job(self, request: Request, voice: StoredVoice | Reference | None) -> tuple[Job, int]:
        """The job of a request, and how many of its messages the model is not shown."""
        settings, chroma = self._settings, self._chroma
        sounds = {sound.id: self._ears.hear(sound) for sound in request.sounds()}

        def ids_of(messages: Sequence[Message]) -> list[int]:
            return chroma.prompt(messages, lambda sound: len(sounds[sound.id].rows), request.tools)

        context = chroma.reasoner.context
        # Room for the answer: what it may take, or as much as an answer commonly does.
        room = context - min(request.max_tokens or _COMMON_ANSWER, context // 4)
        fitted = fit(request.messages, request.truncation, room, lambda part: len(ids_of(part)))
        shown = [part for message in fitted.messages for part in message.parts]
        heard = [sounds[part.id] for part in shown if isinstance(part, Audio)]
        sound = joined(heard) if heard else None
        temperature = settings.temperature if request.temperature is None else request.temperature
        seed = random.getrandbits(63) if request.seed is None else request.seed
        top_p = 1.0 if request.top_p is None else request.top_p
        forced = chroma.prompt.markup(forced_text(request.tool_choice))
        if request.say is not None:
            forced = [*chroma.prompt.plain(request.say), chroma.config.im_end]
        prompt = ReasonerPrompt(
            ids_of(fitted.messages),
            sound.rows if sound else None,
            chroma.config.im_end,
            tuple(forced),
            sound.marks if sound else (),
        )
        job = Job(
            id=request.id,
            prompt=prompt,
            voice=self._prefix(voice),
            sampling=Sampling(temperature, seed, top_p),
            max_frames=max(1, int(settings.max_seconds * SAMPLE_RATE / chroma.config.samples_per_frame)),
            max_tokens=request.max_tokens,
        )
        return job, fitted.left_out

    def _prefix(self, voice: StoredVoice | Reference | None) -> KvPool | None:
        if isinstance(voice, Reference):
            return self._prompts.once(voice)
        return self._prompts.get(voice) if voice else None

    def _judge(self, audio: Audio) -> float:
        chroma = self._chroma
        sound = chroma.hearing.hear_pcm(audio.pcm)
        messages = (Message("system", (Text(_TURN_QUESTION),)), Message("user", (audio,)))
        ids = chroma.prompt(messages, lambda _: len(sound))
        prompt = ReasonerPrompt(ids, sound, chroma.config.im_end)
        return chroma.reasoner.weigh(prompt, *(self._first_tokens(words) for words in (_YES, _NO)))

    def _first_tokens(self, words: Sequence[str]) -> list[int]:
        return sorted({self._chroma.prompt.markup(word)[0] for word in words})


async def _only(event: Event) -> AsyncIterator[Event]:
    yield event
