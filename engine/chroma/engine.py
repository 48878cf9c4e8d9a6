"""The Chroma engine: a loaded model and its frame loop in a thread, behind the wall."""

from __future__ import annotations

import asyncio
import logging
import queue
import random
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import torch

from engine.api import (
    SAMPLE_RATE,
    Audio,
    AudioDelta,
    Engine,
    EngineError,
    Event,
    Finished,
    Request,
    Started,
    TextDelta,
    Usage,
    Voice,
)
from engine.chroma.checkpoint import locate
from engine.chroma.model import ChromaModel, load_model, pick_device, pick_dtype
from engine.chroma.reasoner import ReasonerPrompt, Thought
from engine.chroma.speaker import Sampling, Spoken
from engine.chroma.text import Words
from engine.chroma.voices import VoicePrompts
from engine.runtime.loop import FrameLoop, Job, Reason
from engine.settings import EngineSettings
from engine.voices.store import StoredVoice, VoiceStore

log = logging.getLogger(__name__)
Emit = Callable[[Event], None]


class ChromaEngine(Engine):
    """Answers in a cloned voice. The model belongs to one thread; everything else only sends to it."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self.model = settings.model
        self._voices = VoiceStore(settings.voices_dir)
        self._commands: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._running: set[str] = set()
        self._cancelled: set[str] = set()

    async def open(self) -> None:
        await asyncio.to_thread(self._load)
        self._thread = threading.Thread(target=self._run, name="chroma-frame-loop", daemon=True)
        self._thread.start()

    def _load(self) -> None:
        settings = self._settings
        device = pick_device(settings.device)
        self._chroma: ChromaModel = load_model(
            locate(settings.model, settings.revision),
            slots=settings.slots,
            top_k=settings.top_k,
            device=device,
            dtype=pick_dtype(settings.dtype, device),
        )
        self._loop = FrameLoop(self._chroma.reasoner, self._chroma.speaker)
        self._prompts = VoicePrompts(self._chroma)
        self._sounds: dict[str, torch.Tensor] = {}
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

    def respond(self, request: Request) -> AsyncIterator[Event]:
        if request.id in self._running:
            message = f"a request with id {request.id!r} is running already"
            return _only(Finished("failed", code="duplicate_request", message=message))
        if self._thread is None:
            return _only(Finished("failed", code="engine_closed", message="the engine is closed"))
        # Known from here on, so that a cancel is not lost which comes before the first event is asked for.
        self._running.add(request.id)
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
            voice = await asyncio.to_thread(self._voice, request.voice) if request.speak else None
            self._commands.put(lambda: self._start(request, voice, emit))
            while True:
                event = await events.get()
                yield event
                if isinstance(event, Finished):
                    return
        except EngineError as error:
            yield Finished("failed", code=error.code, message=error.message)
        finally:
            self._running.discard(request.id)
            self._cancelled.discard(request.id)
            self._commands.put(lambda: self._loop.cancel(request.id))

    async def cancel(self, request_id: str) -> None:
        if request_id in self._running:
            self._cancelled.add(request_id)
        self._commands.put(lambda: self._loop.cancel(request_id))

    async def forget(self, audio_ids: Sequence[str]) -> None:
        def drop() -> None:
            for audio_id in audio_ids:
                self._sounds.pop(audio_id, None)

        self._commands.put(drop)

    async def voices(self) -> list[Voice]:
        stored = await asyncio.to_thread(self._voices.ordered, self._settings.voice)
        return [voice.described() for voice in stored]

    def _run(self) -> None:
        """The engine's thread: commands between turns, so that a cancel takes effect within one frame."""
        while True:
            try:
                command = self._commands.get(block=not self._loop.busy)
            except queue.Empty:
                self._loop.turn()
                continue
            if command is None:
                self._loop.fail_all(EngineError("engine_closed", "the engine was closed"))
                return
            command()

    def _start(self, request: Request, voice: StoredVoice | None, emit: Emit) -> None:
        """Make a job of a request; a request that cannot be answered fails here, alone."""
        if request.id in self._cancelled:
            emit(Finished("cancelled"))
            return
        try:
            job = self._job(request, voice)
        except EngineError as error:
            emit(Finished("failed", code=error.code, message=error.message))
        except Exception as error:
            log.exception("request %s could not be prepared", request.id)
            emit(Finished("failed", code="engine_error", message=f"the request failed: {error}"))
        else:
            narrator = _Narrator(self._chroma, job, emit)
            emit(Started(narrator.usage()))
            self._loop.submit(job, narrator)

    def _job(self, request: Request, voice: StoredVoice | None) -> Job:
        settings, chroma = self._settings, self._chroma
        sounds = [part for message in request.messages for part in message.parts if isinstance(part, Audio)]
        heard = [self._hear(sound) for sound in sounds]
        lengths = {sound.id: len(rows) for sound, rows in zip(sounds, heard, strict=True)}
        ids = chroma.prompt(request.messages, lambda sound: lengths[sound.id])
        temperature = settings.temperature if request.temperature is None else request.temperature
        seed = random.getrandbits(63) if request.seed is None else request.seed
        return Job(
            id=request.id,
            prompt=ReasonerPrompt(ids, torch.cat(heard) if heard else None, chroma.config.im_end),
            voice=self._prompts.get(voice) if voice else None,
            sampling=Sampling(temperature, seed),
            max_frames=max(1, int(settings.max_seconds * SAMPLE_RATE / chroma.config.samples_per_frame)),
            max_tokens=request.max_tokens,
        )

    def _hear(self, sound: Audio) -> torch.Tensor:
        if sound.id not in self._sounds:
            self._sounds[sound.id] = self._chroma.hearing.hear_pcm(sound.pcm)
        return self._sounds[sound.id]


async def _only(event: Event) -> AsyncIterator[Event]:
    yield event


class _Narrator:
    """Turns what the loop does for one job into the events of the wall."""

    def __init__(self, chroma: ChromaModel, job: Job, emit: Emit) -> None:
        self._emit = emit
        self._words = Words(chroma.tokenizer)
        self._im_end = chroma.config.im_end
        self._audio_in = job.prompt.ids.count(chroma.config.audio_token)
        self._text_in = len(job.prompt.ids) - self._audio_in
        self._tokens = 0
        self._told = 0
        self._frames = 0

    def usage(self) -> Usage:
        """What the answer has cost so far."""
        return Usage(
            input_text_tokens=self._text_in,
            input_audio_tokens=self._audio_in,
            output_text_tokens=self._tokens,
            output_audio_tokens=self._frames,
        )

    def thought(self, thought: Thought) -> None:
        self._tokens += 1
        text = "" if thought.token == self._im_end else self._words.add(thought.token)
        if thought.pair.last:
            text += self._words.rest()
        if text:
            self._emit(TextDelta(text, self._tokens - self._told))
            self._told = self._tokens

    def spoken(self, spoken: Spoken) -> None:
        self._frames += 1
        self._emit(AudioDelta(spoken.pcm))

    def finished(self, reason: Reason, error: EngineError | None) -> None:
        self._emit(
            Finished(
                reason,
                self.usage(),
                code=error.code if error else None,
                message=error.message if error else None,
            )
        )
