"""One frame of a batch, timed as a whole as it is served, and part by part.

A part is timed by itself, with the very arguments that a step gave it: as a graph of its own where the engine
records its steps, else as it is. Backbone and Decoder are their stacks and heads; the rest is what the whole
step takes beside the parts: sampling, embeddings, the host's numbers, PCM and its way back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from torch import nn

from benchmarks.timing import device_ms, wall_ms
from engine.chroma.graphs import Graphs, Recorder
from engine.chroma.llama import KvPool
from engine.chroma.mimi import MimiStream
from engine.chroma.speaker import Frames, Pair, Sampling, Speaker, Speech

Call = Callable[[], Any]

POSITIONS_PER_FRAME = 2
"""Backbone positions that an answer takes for each frame, on average: the frame, and half a pair."""


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Milliseconds of one frame of a batch. `eager`: of the whole step where no graph is used; None where
    there are none anyway."""

    step: float
    backbone: float
    decoder: float
    codec: float
    eager: float | None

    @property
    def rest(self) -> float:
        """What the whole takes beside the three parts; below 0 where they took longer alone."""
        return self.step - self.backbone - self.decoder - self.codec


class Steps:
    """Batches of answers in a voice, stepped without a Reasoner: their pairs are noise.

    Args:
        frames: of each answer that is timed; an even number, as two frames take one pair.
        recorder: makes graphs of the parts, where the speaker's own steps are recorded.
    """

    def __init__(
        self, speaker: Speaker, voice: KvPool, *, frames: int, repeats: int, recorder: Recorder | None
    ) -> None:
        self._speaker, self._voice, self._frames = speaker, voice, frames
        self._repeats, self._recorder = repeats, recorder
        self._recorded: list[Call] = []
        """Graphs stay: memory that the last one of a recorder gives back cannot be recorded in again."""
        hidden = speaker.config.backbone.hidden
        self._pair = torch.randn(2, hidden, device=speaker.device).to(speaker.frames.dtype)

    def times(self, batch: int, *, eager_too: bool = True) -> StepTimes:
        """Time a batch of this many answers."""
        step = self._step_ms(batch)
        eager = None
        if eager_too and self._recorder is not None:
            with self._without(None):
                eager = self._step_ms(batch)
        calls = self.calls(batch)
        return StepTimes(
            step,
            backbone=self._part_ms(calls["backbone"]),
            decoder=self._part_ms(calls["decoder"]),
            codec=self._part_ms(calls["codec"]),
            eager=eager,
        )

    def _begin(self, batch: int) -> list[Speech]:
        speeches = [self._speaker.begin(slot, self._voice, Sampling(0.9, slot)) for slot in range(batch)]
        for speech in speeches:
            speech.pairs.extend(Pair(self._pair, last=False) for _ in range(self._frames))
        return speeches

    def _speak(self, speeches: list[Speech]) -> None:
        """As the frame loop does it: the device makes a frame while the host reads the one before it."""
        before: Frames | None = None
        for _ in range(self._frames):
            frames = self._speaker.step(speeches)
            if before is not None:
                before.result()
            before = frames
        if before is not None:
            before.result()

    def _step_ms(self, batch: int) -> float:
        speeches: list[Speech] = []

        def begin() -> None:
            speeches[:] = self._begin(batch)

        def speak() -> None:
            self._speak(speeches)

        return wall_ms(speak, self._repeats, self._speaker.device, before=begin) / self._frames

    def speak(self, batch: int) -> None:
        """Make all frames of a batch, as the frame loop does."""
        self._speak(self._begin(batch))

    def calls(self, batch: int) -> dict[str, list[Call]]:
        """The parts of two steps in the middle of an answer: one that takes a pair, one that does not."""
        speeches = self._begin(batch)
        made = self._frames // 4 * 2
        for speech in speeches:
            for _ in range(made):
                speech.schedule.advance(last_pair=False)
        calls: dict[str, list[Call]] = {"backbone": [], "decoder": [], "codec": []}
        # Steps that are padded as the recorded ones are, but run: only those call their parts.
        with self._without(self._recorder), _noting(self._speaker, calls):
            for _ in range(2):
                self._speaker.step(speeches).result()
        return calls

    @torch.inference_mode()
    def _part_ms(self, calls: list[Call]) -> float:
        """Of one frame, where `calls` are those of two."""

        def part() -> tuple[Any, ...]:
            return tuple(call() for call in calls)

        run: Call = part
        if self._recorder:
            run = self._recorder(part)[0]
            self._recorded.append(run)
        return device_ms(run, self._repeats, self._speaker.device) / 2

    @contextmanager
    def _without(self, recorder: Recorder | None) -> Iterator[None]:
        """The speaker without its recorded steps; with a recorder, padded as those are."""
        recorded, self._speaker.graphs = self._speaker.graphs, Graphs(recorder)
        try:
            yield
        finally:
            self._speaker.graphs = recorded


@contextmanager
def _noting(speaker: Speaker, calls: dict[str, list[Call]]) -> Iterator[None]:
    """Append to `calls` what the steps call meanwhile, to be called again."""
    backbone, decoder = speaker.frames.backbone, speaker.frames.decoder
    heads = decoder.codebook_head.weight
    decode = MimiStream.decode

    def note(name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        calls[name].append(partial(module, *args, **kwargs))

    def note_decoder(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        passes = sum(isinstance(call, _Pass) for call in calls["decoder"])
        stack = partial(module, *args, **kwargs)
        calls["decoder"].append(_Pass(stack, heads[passes % len(heads)]))

    def note_codec(stream: MimiStream, *args: Any, **kwargs: Any) -> torch.Tensor:
        calls["codec"].append(partial(decode, stream, *args, **kwargs))
        return decode(stream, *args, **kwargs)

    hooks = [
        backbone.model.register_forward_pre_hook(partial(note, "backbone"), with_kwargs=True),
        backbone.codebook0_head.register_forward_pre_hook(partial(note, "backbone"), with_kwargs=True),
        decoder.projection.register_forward_pre_hook(partial(note, "decoder"), with_kwargs=True),
        decoder.model.register_forward_pre_hook(note_decoder, with_kwargs=True),
    ]
    try:
        with patch.object(MimiStream, "decode", note_codec):
            yield
    finally:
        for hook in hooks:
            hook.remove()


@dataclass(frozen=True, slots=True)
class _Pass:
    """One pass of the Decoder: its stack, then the head of its codebook."""

    stack: Call
    head: torch.Tensor

    def __call__(self) -> torch.Tensor:
        logits: torch.Tensor = self.stack()[:, -1] @ self.head
        return logits
