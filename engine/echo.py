"""Echo: an engine without a model, which answers with the user's own last turn.

It stands in for a model wherever only the path to it matters: trying a client, testing the gateway.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

import numpy as np

from engine.api import (
    SAMPLE_RATE,
    Audio,
    AudioDelta,
    Engine,
    EngineError,
    Event,
    Finished,
    Message,
    Request,
    Started,
    Text,
    TextDelta,
    Usage,
    Voice,
)
from engine.settings import EngineSettings
from engine.voices.store import VoiceStore

FRAME_SAMPLES = 1_920
"""Samples of a frame: 80 ms, as the model's."""

FRAME_BYTES = 2 * FRAME_SAMPLES
FRAMES_A_TOKEN = 2
"""Frames of sound after each word, as the model speaks them."""

INPUT_AUDIO_TOKENS_A_SECOND = 25
TONE_FRAMES = 3
"""Frames of the tone that stands for a word where the user's turn has no sound."""


class EchoEngine(Engine):
    """Says the user's last turn again: its words as text, its sound as sound.

    Args:
        pace: how many times as fast as it plays the sound is made; None is as fast as it can be read.
    """

    def __init__(self, settings: EngineSettings, pace: float | None = None) -> None:
        self.model = settings.model
        self._default_voice = settings.voice
        self._store = VoiceStore(settings.voices_dir)
        self._longest = int(settings.max_seconds * SAMPLE_RATE) // FRAME_SAMPLES
        self._frame_seconds = FRAME_SAMPLES / SAMPLE_RATE / pace if pace else 0.0
        self._open = False
        # Only the answer's generator holds its stop, so an answer nobody reads any more leaves by itself.
        self._running: weakref.WeakValueDictionary[str, _Stop] = weakref.WeakValueDictionary()

    async def open(self) -> None:
        await asyncio.to_thread(self._store.ordered, self._default_voice)
        self._open = True

    async def close(self) -> None:
        self._open = False
        for stop in list(self._running.values()):
            stop.end(Finished("failed", code="engine_closed", message="the engine was closed"))

    def respond(self, request: Request) -> AsyncIterator[Event]:
        if not self._open:
            return _only(Finished("failed", code="engine_closed", message="the engine is not open"))
        if request.id in self._running:
            message = f"an answer with id {request.id!r} is running already"
            return _only(Finished("failed", code="duplicate_request", message=message))
        stop = self._running[request.id] = _Stop()
        return self._answer(request, stop)

    async def cancel(self, request_id: str) -> None:
        if stop := self._running.get(request_id):
            stop.end(Finished("cancelled"))

    async def forget(self, audio_ids: Sequence[str]) -> None:
        """Echo keeps nothing."""

    async def voices(self) -> list[Voice]:
        voices = await asyncio.to_thread(self._store.ordered, self._default_voice)
        return [voice.described() for voice in voices]

    async def _answer(self, request: Request, stop: _Stop) -> AsyncIterator[Event]:
        try:
            if request.speak and request.voice is not None:
                await asyncio.to_thread(self._store.get, request.voice)
        except EngineError as error:
            self._running.pop(request.id, None)
            yield Finished("failed", code=error.code, message=error.message)
            return

        cost = _cost(request)
        if stop.reason is None:
            yield Started(cost)
        words, frames = 0, 0
        end = Finished("completed")
        due = asyncio.get_running_loop().time()
        for event in _echo(request):
            if request.max_tokens is not None and words + frames >= request.max_tokens:
                end = Finished("length")
                break
            if isinstance(event, AudioDelta):
                if frames >= self._longest:
                    end = Finished("length")
                    break
                frames += 1
                due += self._frame_seconds
            else:
                words += 1
            await stop.wait_until(due)
            if stop.reason is not None:
                break
            yield event
        end = stop.reason or end
        # From here on the id is free: who has read the end may use it again.
        self._running.pop(request.id, None)
        usage = replace(cost, output_text_tokens=words, output_audio_tokens=frames)
        yield replace(end, usage=usage)


class _Stop:
    """Asks one answer to end early."""

    def __init__(self) -> None:
        self.reason: Finished | None = None
        self._asked = asyncio.Event()

    def end(self, reason: Finished) -> None:
        self.reason = self.reason or reason
        self._asked.set()

    async def wait_until(self, due: float) -> None:
        """Give others their turn, at least once, until the loop's time is `due` or the end is asked for."""
        left = due - asyncio.get_running_loop().time()
        if left <= 0:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(left):
                await self._asked.wait()
        except TimeoutError:
            pass


async def _only(event: Event) -> AsyncIterator[Event]:
    yield event


def _echo(request: Request) -> Iterator[TextDelta | AudioDelta]:
    """The answer's words and frames in the order in which the model would make them: text runs ahead."""
    turn = next((message for message in reversed(request.messages) if message.role == "user"), None)
    words = _words(turn)
    frames = _frames(turn, len(words)) if request.speak else iter(())
    for index, word in enumerate(words):
        yield TextDelta(word if index == 0 else f" {word}")
        for _ in range(FRAMES_A_TOKEN):
            if (frame := next(frames, None)) is not None:
                yield frame
    yield from frames


def _words(turn: Message | None) -> list[str]:
    if turn is None:
        return ["There", "is", "nothing", "to", "say", "again", "yet."]
    if words := [word for part in turn.parts if isinstance(part, Text) for word in part.text.split()]:
        return words
    seconds = len(_sound(turn)) / 2 / SAMPLE_RATE
    return f"You said {seconds:.1f} seconds of sound.".split()


def _sound(turn: Message) -> bytes:
    return b"".join(part.pcm for part in turn.parts if isinstance(part, Audio))


def _frames(turn: Message | None, words: int) -> Iterator[AudioDelta]:
    """The turn's own sound in whole frames, the last filled up with silence; without any, tones."""
    sound = _sound(turn) if turn is not None else b""
    if not sound:
        sound = b"".join(_tone(index) for index in range(words))
    for start in range(0, len(sound), FRAME_BYTES):
        yield AudioDelta(sound[start : start + FRAME_BYTES].ljust(FRAME_BYTES, b"\0"))


def _tone(index: int) -> bytes:
    """A soft tone that fades in and out, of another pitch than the words beside it."""
    time = np.arange(TONE_FRAMES * FRAME_SAMPLES) / SAMPLE_RATE
    pitch = 262.0 * 2 ** ((0, 4, 7, 9)[index % 4] / 12)
    tone = 0.1 * np.sin(2 * np.pi * pitch * time) * np.hanning(len(time))
    return (tone * 32_767).astype("<i2").tobytes()


def _cost(request: Request) -> Usage:
    """What reading the conversation costs; nothing is said yet."""
    parts = [part for message in request.messages for part in message.parts]
    heard = sum(len(part.pcm) for part in parts if isinstance(part, Audio))
    return Usage(
        input_text_tokens=sum(len(part.text.split()) for part in parts if isinstance(part, Text)),
        input_audio_tokens=heard // 2 * INPUT_AUDIO_TOKENS_A_SECOND // SAMPLE_RATE,
    )
