"""Echo: an engine without a model, which answers with the user's own last turn.

It stands in for a model wherever only the path to it matters: trying a client, testing the gateway. Its
words take the way that a model's take, so a user who says `<tool_call>…</tool_call>`, in the form that
`engine.tool_calls` describes, is answered with that call.
"""

from __future__ import annotations

import asyncio
import json
import weakref
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace

import numpy as np

from engine.api import (
    FRAME_SAMPLES,
    FRAMES_PER_TEXT_TOKEN,
    SAMPLE_RATE,
    Audio,
    AudioDelta,
    CallOutput,
    Engine,
    EngineError,
    Event,
    Finished,
    Message,
    Request,
    Started,
    Text,
    TextDelta,
    ToolCall,
    Usage,
    Voice,
)
from engine.fitting import Fitted, fit
from engine.settings import EngineSettings
from engine.stats import EngineStats
from engine.tool_calls import call_reader, forced_text
from engine.voices.store import VoiceStore

FRAME_BYTES = 2 * FRAME_SAMPLES
INPUT_AUDIO_TOKENS_A_SECOND = 25
CONTEXT = 32_768
"""Words and sound that echo bears at once, as many tokens as the model."""
TONE_FRAMES = 3
"""Frames of the tone that stands for a word where the user's turn has no sound."""


class EchoEngine(Engine):
    """Says the user's last turn again: its words as text, its sound as sound. After a tool has answered,
    it says what the tool said. A call that is required it makes with the user's words as arguments.

    Args:
        pace: how many times as fast as it plays the sound is made; None is as fast as it can be read.
    """

    def __init__(self, settings: EngineSettings, pace: float | None = None) -> None:
        self.model = settings.model
        self._default_voice = settings.voice
        self._store = VoiceStore(settings.voices_dir)
        self._context = settings.context or CONTEXT
        self._longest = int(settings.max_seconds * SAMPLE_RATE) // FRAME_SAMPLES
        self._frame_seconds = FRAME_SAMPLES / SAMPLE_RATE / pace if pace else 0.0
        self._open = False
        self._frames_made = 0
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

    async def stats(self) -> EngineStats:
        return EngineStats(speaking=len(self._running), frames=self._frames_made)

    async def _prepare(self, request: Request) -> Fitted:
        if request.speak and isinstance(request.voice, str):
            await asyncio.to_thread(self._store.get, request.voice)
        return fit(request.messages, request.truncation, self._context, _tokens)

    async def _answer(self, request: Request, stop: _Stop) -> AsyncIterator[Event]:
        try:
            fitted = await self._prepare(request)
        except EngineError as error:
            self._running.pop(request.id, None)
            yield Finished("failed", code=error.code, message=error.message)
            return

        cost = _cost(fitted.messages)
        if stop.reason is None:
            yield Started(cost, fitted.left_out)
        words, frames = 0, 0
        end = Finished("completed")
        due = asyncio.get_running_loop().time()
        events = _echo(request)
        while True:
            try:
                event = next(events, None)
            except EngineError as error:
                end = Finished("failed", code=error.code, message=error.message)
                break
            if event is None:
                break
            if request.max_tokens is not None and words + frames >= request.max_tokens:
                end = Finished("length")
                break
            if isinstance(event, AudioDelta):
                if frames >= self._longest:
                    end = Finished("length")
                    break
                frames += 1
                self._frames_made += 1
                due += self._frame_seconds
            else:
                words += event.tokens
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


def _echo(request: Request) -> Iterator[TextDelta | AudioDelta | ToolCall]:
    """The answer's words, frames and calls in the order in which the model would make them: text runs
    ahead. Raises EngineError for a call that cannot be read."""
    last = request.messages[-1] if request.messages else None
    turn = next((one for one in reversed(request.messages) if one.role == "user"), None)
    if last is not None and last.role == "tool":
        text, sound = " ".join(part.output for part in last.parts if isinstance(part, CallOutput)), b""
    else:
        sound = _sound(turn) if turn is not None else b""
        # Asked to write down a sound, it has no words of the user's to say again.
        text = _text(turn, heard_alone=request.transcribe is not None)
    if request.say is not None:
        text, sound = request.say, b""
    elif beginning := forced_text(request.tool_choice):
        text = _required_call(request, beginning, text)
    found = _read(text, request)
    said = [one for one in found if isinstance(one, str)]
    words = [word for one in said for word in one.split()]
    speaks = request.speak and (bool(words) or not found)
    frames = _frames(sound, len(words)) if speaks else iter(())
    for index, word in enumerate(words):
        yield TextDelta(word if index == 0 else f" {word}")
        for _ in range(FRAMES_PER_TEXT_TOKEN):
            if (frame := next(frames, None)) is not None:
                yield frame
    for one in found:
        if isinstance(one, ToolCall):
            yield replace(one, tokens=len(one.arguments.split()) + 1)
    yield from frames


def _read(text: str, request: Request) -> list[str | ToolCall]:
    """Words and calls, a piece at a time as a model would write them."""
    reader = call_reader(request)
    found = [one for piece in text.splitlines(keepends=True) for one in reader.add(piece)]
    return found if reader.over else found + reader.rest()


def _required_call(request: Request, beginning: str, text: str) -> str:
    arguments = json.dumps({"text": text}, ensure_ascii=False)
    if request.tool_choice.name is None:
        beginning += f'{request.tools[0].name if request.tools else ""}", "arguments": '
    return f"{beginning}{arguments}}}\n</tool_call>"


def _text(turn: Message | None, *, heard_alone: bool) -> str:
    if turn is None:
        return "There is nothing to say again yet."
    text = "\n".join(part.text for part in turn.parts if isinstance(part, Text))
    if text and not heard_alone:
        return text
    seconds = len(_sound(turn)) / 2 / SAMPLE_RATE
    return f"You said {seconds:.1f} seconds of sound."


def _sound(turn: Message) -> bytes:
    return b"".join(part.pcm for part in turn.parts if isinstance(part, Audio))


def _frames(sound: bytes, words: int) -> Iterator[AudioDelta]:
    """The turn's own sound in whole frames, the last filled up with silence; without any, tones."""
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


def _cost(messages: Sequence[Message]) -> Usage:
    """What reading the conversation costs; nothing is said yet."""
    parts = [part for message in messages for part in message.parts]
    heard = sum(len(part.pcm) for part in parts if isinstance(part, Audio))
    written = [part.text for part in parts if isinstance(part, Text)]
    written += [part.output for part in parts if isinstance(part, CallOutput)]
    return Usage(
        input_text_tokens=sum(len(text.split()) for text in written),
        input_audio_tokens=heard // 2 * INPUT_AUDIO_TOKENS_A_SECOND // SAMPLE_RATE,
    )


def _tokens(messages: Sequence[Message]) -> int:
    cost = _cost(messages)
    return cost.input_text_tokens + cost.input_audio_tokens
