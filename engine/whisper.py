"""Whisper by transformers: an engine that only writes down what it hears, for whoever names it.

`EngineSettings.model` is `whisper:` and a hub id or folder. It runs in a process of its own like any engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
import soxr
import torch
from transformers import WhisperForConditionalGeneration, WhisperProcessor

from engine.api import (
    SAMPLE_RATE,
    Audio,
    Engine,
    EngineError,
    Event,
    Finished,
    Request,
    Started,
    TextDelta,
    Transcribe,
    Usage,
    Voice,
)
from engine.chroma.checkpoint import locate
from engine.chroma.model import pick_device, pick_dtype
from engine.models import WHISPER
from engine.pcm import floats
from engine.settings import EngineSettings

_PIECE_S = 30
"""Whisper hears so much at once; longer sound is cut there."""


class WhisperEngine(Engine):
    """Answers requests that carry `transcribe` with the words of their last message's sound, one piece after
    another; all others fail as `transcription_only`."""

    def __init__(self, settings: EngineSettings) -> None:
        self.model = settings.model
        self._settings = settings
        self._loaded = False
        self._cancelled: set[str] = set()
        # One model, one caller at a time.
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        await asyncio.to_thread(self._load)

    def _load(self) -> None:
        name = self._settings.model.removeprefix(WHISPER)
        folder = locate(name, self._settings.revision)
        self._device = pick_device(self._settings.device)
        self._dtype = pick_dtype(self._settings.dtype, self._device)
        try:
            self._processor: Any = WhisperProcessor.from_pretrained(folder)
            model: Any = WhisperForConditionalGeneration.from_pretrained(folder, dtype=self._dtype)
        except (OSError, ValueError, KeyError) as error:
            first = (str(error).splitlines() or [type(error).__name__])[0]
            message = f"{name} holds no Whisper model: {first}"
            raise EngineError("checkpoint_unreadable", message) from None
        self._model = model.to(self._device).eval()
        self._loaded = True

    async def close(self) -> None:
        self._loaded = False

    async def respond(self, request: Request) -> AsyncIterator[Event]:
        asked = request.transcribe
        sounds = [
            part for message in request.messages[-1:] for part in message.parts if isinstance(part, Audio)
        ]
        if not self._loaded:
            yield Finished("failed", code="engine_closed", message="the engine is not open")
            return
        if asked is None or not sounds:
            message = f"{self.model} only writes down sound"
            yield Finished("failed", code="transcription_only", message=message)
            return
        yield Started(Usage())
        sound = soxr.resample(floats(sounds[-1].pcm), SAMPLE_RATE, self._rate)
        made = 0
        try:
            for begin in range(0, len(sound), _PIECE_S * self._rate):
                piece = sound[begin : begin + _PIECE_S * self._rate]
                async with self._turn:
                    text, tokens = await asyncio.to_thread(self._write, piece, asked)
                if request.id in self._cancelled:
                    yield Finished("cancelled", Usage(output_text_tokens=made))
                    return
                made += tokens
                if words := text.strip() if begin == 0 else text.rstrip():
                    yield TextDelta(words, tokens)
        except EngineError as error:
            yield Finished("failed", code=error.code, message=error.message)
            return
        finally:
            self._cancelled.discard(request.id)
        yield Finished("completed", Usage(output_text_tokens=made))

    async def cancel(self, request_id: str) -> None:
        self._cancelled.add(request_id)

    async def forget(self, audio_ids: Sequence[str]) -> None:
        """Nothing is kept."""

    async def voices(self) -> list[Voice]:
        return []

    @property
    def _rate(self) -> int:
        return int(self._processor.feature_extractor.sampling_rate)

    @torch.inference_mode()
    def _write(self, sound: np.ndarray, asked: Transcribe) -> tuple[str, int]:
        """Text and its count of tokens, of float32 [samples] at Whisper's rate."""
        heard = self._processor(sound, sampling_rate=self._rate, return_tensors="pt").input_features
        hints: dict[str, Any] = {}
        if getattr(self._model.generation_config, "is_multilingual", False):
            hints = {"task": "transcribe", "language": asked.language}
        if asked.prompt:
            hints["prompt_ids"] = self._processor.get_prompt_ids(asked.prompt, return_tensors="pt").to(
                self._device
            )
        try:
            ids = self._model.generate(heard.to(self._device, self._dtype), **hints)[0]
        except ValueError as error:
            # A language that this model was not taught.
            raise EngineError("transcription_failed", str(error).splitlines()[0]) from None
        text = self._processor.decode(ids, skip_special_tokens=True)
        if asked.prompt:
            text = text.removeprefix(f" {asked.prompt.strip()}")
        return text, len(ids)
