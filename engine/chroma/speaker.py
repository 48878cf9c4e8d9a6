"""The Speaker: pairs of the Reasoner to frames of codes to sound, for many answers in one batch."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from engine.chroma.checkpoint import Checkpoint
from engine.chroma.config import ChromaConfig
from engine.chroma.frames import FrameModel
from engine.chroma.llama import KvPool
from engine.chroma.mimi import MimiStream, load_mimi
from engine.chroma.sampling import draw
from engine.chroma.schedule import Schedule, ends_answer


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


@dataclass(frozen=True, slots=True)
class Spoken:
    """One frame of one answer: its codes, and its sound as PCM16 at 24 kHz.

    `over`: this frame ended the answer and is not part of it; its sound is empty.
    """

    codes: tuple[int, ...]
    pcm: bytes
    over: bool


class Speaker:
    """Backbone, Decoder and Mimi over a fixed number of slots."""

    def __init__(
        self,
        config: ChromaConfig,
        checkpoint: Checkpoint,
        *,
        slots: int,
        top_k: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.config = config
        self.device = device
        self.slots = slots
        self._top_k = top_k
        self.frames = FrameModel(config, checkpoint, slots=slots, dtype=dtype, device=device)
        self.mimi = load_mimi(config, checkpoint, device)
        self._stream = MimiStream(self.mimi, slots)
        self._last_codes = torch.zeros(slots, config.codebooks, dtype=torch.int64, device=device)

    def begin(self, slot: int, voice: KvPool, sampling: Sampling) -> Speech:
        """Make a free slot ready to speak with a voice prompt (see `FrameModel.prefill`)."""
        self.frames.pool.copy_prefix(slot, voice)
        self._stream.reset(slot)
        return Speech(slot, Schedule(position=voice.positions), sampling)

    def fits(self, speech: Speech) -> bool:
        """The slot has Backbone positions left for one more step."""
        return speech.schedule.position + speech.schedule.length <= self.frames.positions

    @torch.inference_mode()
    def step(self, speeches: Sequence[Speech]) -> list[Spoken]:
        """One frame of each speech; every one must be `ready` and `fits`."""
        slots = self._int64([speech.slot for speech in speeches])
        x, lengths, last_pairs = self._hear(speeches, slots)
        start = [speech.schedule.position for speech in speeches]
        noise = draw(
            self._float32([s.sampling.temperature for s in speeches]),
            self._float32([s.sampling.top_p for s in speeches]),
            self._int64([s.sampling.seed for s in speeches]),
            self._int64([s.schedule.frames for s in speeches]),
            self.config.codebooks,
            self._top_k,
        )
        codes = self.frames.step(
            x, self._int64(lengths), slots, self._int64(start), max(start) + x.shape[1], noise
        )
        self._last_codes[slots] = codes
        sound = self._stream.decode(codes, slots)
        pcm = (sound.clamp(-1, 1) * 32767).round().to(torch.int16).cpu().numpy()
        spoken = []
        for speech, last_pair, frame, samples in zip(speeches, last_pairs, codes.tolist(), pcm, strict=True):
            speech.schedule.advance(last_pair=last_pair)
            over = ends_answer(frame, self.config.codebook_eos)
            spoken.append(Spoken(tuple(frame), b"" if over else samples.tobytes(), over))
        return spoken

    def _hear(
        self, speeches: Sequence[Speech], slots: torch.Tensor
    ) -> tuple[torch.Tensor, list[int], list[bool]]:
        """The next positions of each speech [rows, length, hidden], their lengths, and whether the pair
        that a row took was its last. Takes the pairs from their queues."""
        lengths = [speech.schedule.length for speech in speeches]
        x = torch.zeros(
            len(speeches),
            max(lengths),
            self.config.backbone.hidden,
            dtype=self.frames.dtype,
            device=self.device,
        )
        heard = self._int64([row for row, s in enumerate(speeches) if s.schedule.hears_frame])
        x[heard, 0] = self.frames.embed_frames(self._last_codes[slots[heard]])
        last_pairs = [False] * len(speeches)
        for row, speech in enumerate(speeches):
            if speech.schedule.wants_pair:
                pair = speech.pairs.popleft()
                x[row, lengths[row] - 2 : lengths[row]] = pair.rows
                last_pairs[row] = pair.last
        return x, lengths, last_pairs

    def _float32(self, values: Sequence[float]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float32, device=self.device)

    def _int64(self, values: Sequence[int]) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.int64, device=self.device)
