"""The Speaker: pairs of the Reasoner to frames of codes to sound, for many answers in one batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import NamedTuple

import numpy as np
import torch

from engine.chroma.checkpoint import Checkpoint
from engine.chroma.config import ChromaConfig
from engine.chroma.frame_step import FrameInputs, FrameStep
from engine.chroma.frames import LONGEST_STEP
from engine.chroma.graphs import Graphs, fit, rungs
from engine.chroma.llama import KvPool
from engine.chroma.readback import Readback, send
from engine.chroma.schedule import Schedule, ends_answer
from engine.progress import Progress
from engine.settings import Weights

_SHORTEST_CONTEXT = 256
"""Backbone positions of the smallest steps that are recorded."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What the Backbone hears of one text token: float [2, hidden], the Reasoner's hidden state that
    predicted the token and the token's embedding. `last` marks the token that ends the text."""

    rows: torch.Tensor
    last: bool


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer's frames are drawn; temperature 0 is greedy, top_p 1 leaves all codes."""

    temperature: float
    seed: int
    top_p: float = 1.0


@dataclass(slots=True)
class Speech:
    """One answer being spoken in a slot: its schedule, and the pairs that wait to be heard."""

    slot: int
    schedule: Schedule
    sampling: Sampling
    pairs: deque[Pair] = field(default_factory=deque)

    @property
    def ready(self) -> bool:
        """It can make its next frame now."""
        return not self.schedule.wants_pair or bool(self.pairs)


class Spoken(NamedTuple):
    """One frame of one answer: its codes, and its sound as PCM16 at 24 kHz.

    `over`: this frame ended the answer and is not part of it; its sound is empty.
    """

    codes: tuple[int, ...]
    pcm: bytes
    over: bool


class Frames:
    """One frame of some speeches, under way on the device."""

    def __init__(self, readback: Readback, rows: list[int], eos: int) -> None:
        self._readback, self._rows, self._eos = readback, rows, eos

    @property
    def here(self) -> bool:
        """`result` does not wait."""
        return self._readback.here

    def result(self) -> list[Spoken]:
        """The frames, in the order of the speeches; waits until they are made."""
        codes, sound = self._readback.result()
        ended = ends_answer(codes, self._eos).tolist()
        numbers = codes.tolist()
        pcm, size = sound.numpy().data.cast("B"), sound[0].nbytes
        return [
            Spoken(
                codes=tuple(numbers[row]),
                pcm=b"" if ended[row] else bytes(pcm[row * size : (row + 1) * size]),
                over=ended[row],
            )
            for row in self._rows
        ]


class Speaker:
    """Backbone, Decoder and Mimi over a fixed number of slots.

    With graphs on, a step is padded to a size that was recorded. Rows that make no frame keep what they leave
    behind in a slot of their own, the spare one beyond the others.
    """

    def __init__(
        self,
        config: ChromaConfig,
        checkpoint: Checkpoint,
        *,
        slots: int,
        top_k: int,
        dtype: torch.dtype,
        device: torch.device,
        weights: Weights,
        graphs: Graphs,
    ) -> None:
        self.config = config
        self.device = device
        self.slots = slots
        self.graphs = graphs
        self._step = FrameStep(
            config,
            checkpoint,
            slots=slots + 1,
            top_k=top_k,
            dtype=dtype,
            device=device,
            weights=weights,
        )
        self.frames, self.mimi = self._step.frames, self._step.mimi
        self._batches = rungs(slots)
        self._contexts = rungs(self.frames.pool.positions, first=_SHORTEST_CONTEXT)
        self._inputs: dict[int, FrameInputs] = {}
        self._schedules: dict[int, Schedule] = {}
        """Of the speech that was begun last in each slot."""
        if graphs.on:
            self._record()

    def begin(self, slot: int, voice: KvPool, sampling: Sampling) -> Speech:
        """Make a free slot ready to speak with a voice prompt (see `FrameModel.prefill`)."""
        self.frames.pool.copy_prefix(slot, voice)
        self._step.stream.reset(slot)
        self._schedules[slot] = Schedule(position=voice.positions)
        return Speech(slot, self._schedules[slot], sampling)

    def fits(self, speech: Speech) -> bool:
        """The slot has Backbone positions left for one more step."""
        return speech.schedule.position + speech.schedule.length <= self.frames.positions

    @torch.inference_mode()
    def step(self, speeches: Sequence[Speech]) -> Frames:
        """Begin one frame of each speech; every one must be `ready` and `fits`. Their schedules and pairs are
        those of the next frame from now on."""
        length = max([speech.schedule.length for speech in speeches])
        context = max([speech.schedule.position for speech in speeches]) + length
        rows, slots = len(speeches), max([speech.slot for speech in speeches]) + 1
        if self.graphs.on:
            rows, slots = fit(self._batches, rows), fit(self._batches, slots)
            context = fit(self._contexts, context)
            length = 1 if length == 1 else LONGEST_STEP
        # Keys are read in place where that takes no more rows than there have to be: the frame of one more
        # row costs more than the copy of another's keys.
        in_place = slots == rows
        inputs = self._room(rows)
        stand = [speech.slot for speech in speeches] if in_place else list(range(len(speeches)))
        self._write(inputs, dict(zip(stand, speeches, strict=True)))
        codes, sound = self.graphs.run(
            (rows, length, context, in_place), partial(self._step, inputs, length, context, in_place=in_place)
        )
        return Frames(Readback(codes, sound), stand, self.config.codebook_eos)

    def _write(self, inputs: FrameInputs, speeches: dict[int, Speech]) -> None:
        """Move the host's numbers and the pairs of the speeches in some rows to the device, and the schedules
        on. The other rows make a frame of the spare slot."""
        columns = [
            _column(speeches[row]) if row in speeches else (self.slots, self._next(row), 1, 0, 0, 0.0, 1.0)
            for row in range(inputs.rows)
        ]
        numbers = list(zip(*columns, strict=True))
        # By way of numpy: torch looks at each number of a list by itself.
        send(torch.from_numpy(np.array(numbers[:5], dtype=np.int64)), inputs.integers)
        send(torch.from_numpy(np.array(numbers[5:], dtype=np.float32)), inputs.floats)
        taken: list[torch.Tensor] = []
        places: list[torch.Tensor] = []
        for row, speech in speeches.items():
            last = False
            if speech.schedule.wants_pair:
                pair = speech.pairs.popleft()
                taken.append(pair.rows)
                places.append(inputs.pairs[row])
                last = pair.last
            speech.schedule.advance(last_pair=last)
        if taken:
            torch._foreach_copy_(places, taken)

    def _next(self, slot: int) -> int:
        """The next free Backbone position of a slot; of a free slot, whatever its last answer left."""
        return self._schedules[slot].position if slot in self._schedules else 0

    def _room(self, rows: int) -> FrameInputs:
        if rows not in self._inputs:
            hidden = self.config.backbone.hidden
            self._inputs[rows] = FrameInputs.of(rows, hidden, self.frames.dtype, self.device)
        return self._inputs[rows]

    @torch.inference_mode()
    def _record(self) -> None:
        """Record every shape that can occur, largest first, so that the smaller ones find their memory."""
        # Of as many rows as there are slots, each is its own slot.
        ways = {rows: (True,) if rows == self.slots else (True, False) for rows in self._batches}
        shapes = 2 * len(self._contexts) * sum(map(len, ways.values()))
        progress = Progress("recording the Speaker's steps", shapes)
        for rows in reversed(self._batches):
            inputs = self._room(rows)
            self._write(inputs, {})
            for context, length, in_place in product(reversed(self._contexts), (LONGEST_STEP, 1), ways[rows]):
                self.graphs.record(
                    (rows, length, context, in_place),
                    partial(self._step, inputs, length, context, in_place=in_place),
                )
                progress.step()


def _column(speech: Speech) -> tuple[int, int, int, int, int, float, float]:
    """The numbers of a row, in the order of `FrameInputs`."""
    schedule, sampling = speech.schedule, speech.sampling
    numbers = (speech.slot, schedule.position, schedule.frames, int(schedule.wants_pair), sampling.seed)
    return (*numbers, sampling.temperature, sampling.top_p)
