"""The checkpoint under test: the engine's own parts, its frame loop, one answer at a time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from engine.api import Audio, AudioDelta, Event, Finished, Message, TextDelta, Tool, ToolCall
from engine.chroma.model import load_model
from engine.chroma.narrator import Narrator
from engine.chroma.reasoner import ReasonerPrompt
from engine.chroma.speaker import Sampling
from engine.chroma.voices import VoicePrompts
from engine.runtime.job import Job
from engine.runtime.loop import FrameLoop
from engine.settings import EngineSettings
from engine.tool_calls import CallReader
from engine.voices.store import VoiceStore

LONGEST_TEXT = 120
"""Text tokens; nano's longest right answers take about half of it."""
LONGEST_SPEECH = 188
"""Frames: 15 s."""
_DEFAULTS = EngineSettings("")


@dataclass(frozen=True, slots=True)
class Draw:
    """How frames are sampled, by default as the engine does it."""

    temperature: float = _DEFAULTS.temperature
    top_k: int = _DEFAULTS.top_k
    top_p: float = 1.0


@dataclass(slots=True)
class Answer:
    """One answer as the gateway would get it. `reason` and `problem` are what `Finished` tells; times are in
    seconds from when the prompt was given."""

    text: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    pcm: bytearray = field(default_factory=bytearray)
    reason: str = ""
    problem: str = ""
    first_sound: float | None = None
    seconds: float = 0.0

    @property
    def sound(self) -> np.ndarray:
        """float32 [samples] at 24 kHz."""
        return np.frombuffer(bytes(self.pcm), dtype="<i2").astype(np.float32) / 32768

    def take(self, event: Event, seconds: float) -> None:
        """One more event, so many seconds after the prompt."""
        if isinstance(event, TextDelta):
            self.text += event.text
        elif isinstance(event, ToolCall):
            self.calls.append(event)
        elif isinstance(event, AudioDelta):
            self.first_sound = seconds if self.first_sound is None else self.first_sound
            self.pcm += event.pcm
        elif isinstance(event, Finished):
            self.reason, self.problem, self.seconds = event.reason, event.message or "", seconds


class Nano:
    """A checkpoint folder in memory. Reference voices are those in its `voices`."""

    def __init__(self, folder: Path, draw: Draw) -> None:
        self._draw = draw
        self.chroma = load_model(
            folder, slots=1, top_k=draw.top_k, device=torch.device("cpu"), dtype=torch.float32
        )
        stored = VoiceStore(folder / "voices").list()
        self.voices = {voice.name: voice for voice in stored if not voice.builtin}
        self._loop = FrameLoop(self.chroma.reasoner, self.chroma.speaker)
        # Codes of voices are not kept: the next checkpoint is another one.
        self._codes = tempfile.TemporaryDirectory(prefix="evaluate-")
        self._prompts = VoicePrompts(self.chroma, Path(self._codes.name))

    def answer(
        self,
        messages: Sequence[Message],
        heard: Mapping[str, torch.Tensor],
        tools: Sequence[Tool] = (),
        *,
        voice: str | None = None,
        say: str | None = None,
        seed: int = 0,
    ) -> Answer:
        """One answer, to its end.

        Args:
            heard: what the tower made of each sound in `messages`, by the sound's id.
            voice: reference to speak with; None answers in text alone.
            say: words that the answer is forced to have.
        """
        chroma = self.chroma
        ids = chroma.prompt(messages, lambda sound: len(heard[sound.id]), tools)
        sounds = [heard[part.id] for each in messages for part in each.parts if isinstance(part, Audio)]
        forced = () if say is None else (*chroma.prompt.plain(say), chroma.config.im_end)
        prompt = ReasonerPrompt(ids, torch.cat(sounds) if sounds else None, chroma.config.im_end, forced)
        job = Job(
            id="answer",
            prompt=prompt,
            voice=self._prompts.get(self.voices[voice]) if voice else None,
            sampling=Sampling(self._draw.temperature, seed, self._draw.top_p),
            max_frames=LONGEST_SPEECH,
            max_tokens=None if voice else LONGEST_TEXT,
        )
        answer, begun = Answer(), time.perf_counter()
        calls = CallReader([tool.name for tool in tools])
        narrator = Narrator(chroma, job, calls, lambda event: answer.take(event, time.perf_counter() - begun))
        self._loop.submit(job, narrator)
        while self._loop.busy:
            self._loop.turn()
        return answer
