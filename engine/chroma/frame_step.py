"""One frame of many answers as one step on the device: what is heard, Backbone, Decoder, sampling, Mimi.

Everything between the numbers that the host writes and the codes and sound that it reads. Nothing in it
waits for the host or depends on a value, so that it can be recorded as a CUDA graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from engine.chroma.checkpoint import Checkpoint
from engine.chroma.config import ChromaConfig
from engine.chroma.frames import FrameModel
from engine.chroma.fused import fused
from engine.chroma.mimi import MimiStream, load_mimi
from engine.chroma.sampling import draw
from engine.settings import Weights


@dataclass(frozen=True, slots=True)
class FrameInputs:
    """What the host writes for a step of so many rows; the tensors stay where they are.

    Attributes:
        integers, floats: [5, rows] and [2, rows], of which the next are views, written at once.
        slot, start, frame, wants, seed: int64 [rows]: the slot that the row makes a frame of (the spare one,
            where it makes none that matters), its next Backbone position, the number of this frame in its
            answer, whether it takes a pair now (0 or 1), the seed of its sampling.
        temperature, top_p: float32 [rows].
        pairs: [rows, 2, hidden], read where `wants` is 1.
    """

    integers: torch.Tensor
    floats: torch.Tensor
    pairs: torch.Tensor
    slot: torch.Tensor
    start: torch.Tensor
    frame: torch.Tensor
    wants: torch.Tensor
    seed: torch.Tensor
    temperature: torch.Tensor
    top_p: torch.Tensor

    @classmethod
    def of(cls, rows: int, hidden: int, dtype: torch.dtype, device: torch.device) -> FrameInputs:
        """Room for so many rows, all zero."""
        integers = torch.zeros(5, rows, dtype=torch.int64, device=device)
        floats = torch.zeros(2, rows, dtype=torch.float32, device=device)
        pairs = torch.zeros(rows, 2, hidden, dtype=dtype, device=device)
        return cls(integers, floats, pairs, *integers.unbind(), *floats.unbind())

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return len(self.slot)


class FrameStep:
    """Backbone, Decoder and Mimi over a fixed number of slots, and the last codes of each."""

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
    ) -> None:
        self._config, self._top_k = config, top_k
        self.frames = FrameModel(config, checkpoint, slots=slots, dtype=dtype, device=device, weights=weights)
        self.mimi = load_mimi(config, checkpoint, device)
        self.stream = MimiStream(self.mimi, slots)
        self.last_codes = torch.zeros(slots, config.codebooks, dtype=torch.int64, device=device)

    def __call__(
        self, inputs: FrameInputs, length: int, context: int, *, in_place: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Make one frame for each row, and keep it as its slot's last.

        A row of the spare slot leaves no trace in place either: what it writes among its own slot's keys lies
        at the next free positions, which the slot's next step writes before it reads them.

        Args:
            length: positions of the longest row: 1 to 3.
            context: no row that matters reaches this position of the Backbone.
            in_place: row i is slot i or of the spare slot; keys and values are read where they lie.

        Returns:
            Codes int64 [rows, codebooks] and sound int16 [rows, samples_per_frame].
        """
        noise = draw(
            inputs.temperature, inputs.top_p, inputs.seed, inputs.frame, self._config.codebooks, self._top_k
        )
        lengths = (inputs.frame > 0).long() + 2 * inputs.wants
        slots = None if in_place else inputs.slot
        codes = self.frames.step(self.hear(inputs, length), lengths, slots, inputs.start, context, noise)
        self.last_codes[inputs.slot] = codes
        sound = self.stream.decode(codes, inputs.slot, in_place=in_place)
        return codes, _pcm16(sound)

    def hear(self, inputs: FrameInputs, length: int) -> torch.Tensor:
        """The next positions of each row, [rows, length, hidden]: the frame before this one, unless this is
        the first, and then the pair, where one is wanted. What stands beyond those is heard by nobody."""
        last = self.frames.embed_frames(self.last_codes[inputs.slot])
        return _next(last, inputs.pairs, inputs.frame)[:, :length]


@fused
def _next(last: torch.Tensor, pairs: torch.Tensor, frame: torch.Tensor) -> torch.Tensor:
    state, word = pairs.unbind(1)
    goes_on = (frame > 0)[:, None]
    first = torch.where(goes_on, last, state)
    second = torch.where(goes_on, state, word)
    return torch.stack((first, second, word), dim=1)


@fused
def _pcm16(sound: torch.Tensor) -> torch.Tensor:
    return (sound.clamp(-1, 1) * 32767).round().to(torch.int16)
