"""The Reasoner in SGLang, as the frame loop sees it: see `engine.chroma.reasoner.Reasoner`.

The engine's thread asks and takes what has come; the keeper's thread sends and receives. An answer is made as
fast as SGLang can, and its tokens wait here until they are wanted.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable, Collection, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial

import torch

from engine.api import EngineError
from engine.chroma.readback import Readback, moved
from engine.chroma.reasoner import Failure, ReasonerPrompt, Thought, check_length
from engine.chroma.speaker import Pair
from engine.sglang.keeper import HOST, Died, Keeper, Received
from engine.sglang.messages import Answer, Block, Launch, Over, Read, Said, Stop, ToHost, Weigh, Weighed
from engine.sglang.sound import SoundStore, places

log = logging.getLogger(__name__)

_DIED = EngineError("reasoner_died", "the language model's process ended in the middle of this answer")
_CUT = EngineError("reasoner_failed", "the language model ended this answer before its end")


@dataclass(slots=True)
class _Answer:
    """What has come of an answer and was not wanted yet. `most`: tokens that it may have; `told`: those that
    were handed out. `error`: why no more will come."""

    name: str
    prompt: ReasonerPrompt
    most: int
    words: deque[tuple[int, bytes]] = field(default_factory=deque)
    cached: int = 0
    told: int = 0
    error: EngineError | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    """A block of sound that a prompt needs: its key, and where it stands in the prompt and in its sound."""

    key: Hashable
    start: int
    row: int
    count: int


class SglangReasoner:
    """See `Reasoner`. All methods belong to the engine's thread.

    Args:
        launch: what a host is to start; asked for anew whenever one is started.
        table: embeddings of text [vocab, hidden], on the CPU, in the model's dtype.
        block: embeddings of the longest block that the audio tower hears.
        device: where pairs are wanted.
        context: most tokens of a prompt and its answer.

    Raises:
        EngineError: SGLang cannot be started.
    """

    def __init__(
        self,
        launch: Callable[[], Launch],
        table: torch.Tensor,
        *,
        audio_token: int,
        block: int,
        device: torch.device,
        context: int,
        host: str = HOST,
    ) -> None:
        self.context = context
        self._table, self._audio_token, self._device = table, audio_token, device
        self._sound = SoundStore(block, table.shape[1], table.dtype)
        self._names = itertools.count(1)
        self._unknown = itertools.count()
        self._answers: dict[str, _Answer] = {}
        # What follows belongs to the keeper's thread, but for what `_lock` guards.
        self._lock = threading.Lock()
        self._running: dict[str, _Answer] = {}
        self._weighed: dict[str, Future[float]] = {}
        self._held: dict[str, list[Hashable]] = {}
        self.retractions = 0
        """How often an answer was taken out of SGLang's cache to make room, and read again."""
        self.keeper = Keeper(launch, self._sound.environment, self._take, module=host)

    @property
    def room(self) -> int:
        """Tokens that SGLang's cache holds."""
        return self.keeper.launched.room

    def start(self, request_id: str, prompt: ReasonerPrompt) -> None:
        check_length(prompt, self.context)
        self.keeper.check_up()
        room = self.context - len(prompt.ids)
        name = self._name()
        answer = _Answer(name, prompt, room if prompt.most is None else min(room, prompt.most))
        self._answers[request_id] = answer
        with self._lock:
            self._running[name] = answer
        self._ask(
            name,
            prompt,
            lambda blocks: Answer(name, prompt.ids, blocks, prompt.forced, prompt.im_end, answer.most),
        )

    def stop(self, request_id: str) -> None:
        answer = self._answers.pop(request_id, None)
        if answer is None:
            return
        with self._lock:
            running = self._running.pop(answer.name, None)
        if running is not None:
            self.keeper.post(lambda: Stop(answer.name), lambda error: None)

    def turn(self, wanted: Collection[str]) -> list[Thought | Failure]:
        came: list[Thought | Failure] = []
        ready: list[tuple[str, _Answer]] = []
        for request_id in wanted:
            answer = self._answers[request_id]
            # Looked at first: the last words may come just before it.
            error = answer.error
            if answer.words:
                ready.append((request_id, answer))
            elif error is not None:
                came.append(Failure(request_id, error))
        return came + self._thoughts(ready) if ready else came

    @torch.inference_mode()
    def _thoughts(self, answers: Sequence[tuple[str, _Answer]]) -> list[Thought | Failure]:
        """The next token of each. All pairs go to the device in one copy."""
        words = [answer.words.popleft() for _, answer in answers]
        tokens = [token for token, _ in words]
        hidden = torch.frombuffer(bytearray().join(row for _, row in words), dtype=self._table.dtype)
        rows = torch.stack((hidden.view(len(words), -1), self._table[tokens]), dim=1)
        thoughts: list[Thought | Failure] = []
        for (request_id, answer), token, pair in zip(answers, tokens, moved(rows, self._device), strict=True):
            answer.told += 1
            # An answer that fills the context ends there, as if the model had said so.
            full = len(answer.prompt.ids) + answer.told >= self.context
            last = token == answer.prompt.im_end or full
            kept = answer.cached if answer.told == 1 else None
            thoughts.append(Thought(request_id, token, Pair(pair, last), kept))
        return thoughts

    def warm(self, prompt: ReasonerPrompt) -> None:
        if len(prompt.ids) < self.context:
            name = self._name()
            self._ask(name, prompt, lambda blocks: Read(name, prompt.ids, blocks))

    def weigh(self, prompt: ReasonerPrompt, one: Sequence[int], other: Sequence[int]) -> Future[float]:
        check_length(prompt, self.context)
        self.keeper.check_up()
        weighed: Future[float] = Future()
        name = self._name()
        with self._lock:
            self._weighed[name] = weighed
        self._ask(name, prompt, lambda blocks: Weigh(name, prompt.ids, blocks, tuple(one), tuple(other)))
        return weighed

    def kv(self) -> tuple[int, int]:
        # Of the answers under way: what else SGLang keeps gives way to them.
        with self._lock:
            running = list(self._running.values())
        return sum(len(answer.prompt.ids) + answer.told for answer in running), self.room

    def embed(self, ids: list[int]) -> torch.Tensor:
        return moved(self._table[ids], self._device)

    def close(self) -> None:
        self.keeper.close()
        self._end_all(EngineError("engine_closed", "the engine was closed"))
        self._sound.close()

    def _name(self) -> str:
        # SGLang ends all whose names begin with the one that it is given: all are of one length.
        return f"{next(self._names):012d}"

    # --- to the host

    def _ask(self, name: str, prompt: ReasonerPrompt, message: Callable[[tuple[Block, ...]], ToHost]) -> None:
        """Send a request once its sound has left the device, which is not waited for here."""
        pieces = self._pieces(prompt)
        fresh = [piece for piece in pieces if not self._sound.known(piece.key)]
        readback = None
        if fresh:
            assert prompt.sound is not None
            rows = [prompt.sound[piece.row : piece.row + piece.count] for piece in fresh]
            readback = Readback(torch.cat(rows).to(self._table.dtype))
        ready = partial(self._hold, name, prompt, pieces, fresh, readback)
        self.keeper.post(lambda: message(ready()), partial(self._end, name))

    def _pieces(self, prompt: ReasonerPrompt) -> list[_Piece]:
        """The blocks of a prompt's sound. Without marks they are never known again."""
        pieces, row = [], 0
        for start, count in places(prompt.ids, self._audio_token, self._sound.rows):
            ends = (row, row + count - 1)
            key: Hashable = ("unknown", next(self._unknown))
            if prompt.marks:
                key = tuple(prompt.marks[end] for end in ends)
            pieces.append(_Piece(key, start, row, count))
            row += count
        return pieces

    def _hold(
        self,
        name: str,
        prompt: ReasonerPrompt,
        pieces: list[_Piece],
        fresh: list[_Piece],
        readback: Readback | None,
    ) -> tuple[Block, ...]:
        """Take the blocks of a request's sound, in the keeper's thread."""
        here = dict[Hashable, torch.Tensor]()
        if readback is not None:
            (rows,) = readback.result()
            parts = rows.split([piece.count for piece in fresh])
            here = dict(zip((piece.key for piece in fresh), parts, strict=True))
        blocks = []
        for piece in pieces:
            part = here.get(piece.key)
            if part is None and not self._sound.known(piece.key):
                # It was let go since it was asked for.
                assert prompt.sound is not None
                part = prompt.sound[piece.row : piece.row + piece.count].to("cpu", self._table.dtype)
            blocks.append(self._sound.hold(piece.key, piece.start, part, piece.count))
        self._held[name] = [piece.key for piece in pieces]
        return tuple(blocks)

    # --- from the host, in the keeper's thread

    def _take(self, came: Received) -> None:
        match came:
            case Said(name, tokens, rows, cached):
                if (answer := self._running.get(name)) is not None:
                    answer.cached = cached
                    answer.words.extend(zip(tokens, rows, strict=True))
            case Weighed(name, probability):
                with self._lock:
                    weighed = self._weighed.pop(name, None)
                if weighed is not None:
                    weighed.set_result(probability)
            case Over(name, error, retractions):
                if retractions:
                    self.retractions += retractions
                    log.warning(
                        "SGLang's cache of %d tokens is too small for all answers: one was read again",
                        self.room,
                    )
                self._end(name, EngineError("reasoner_failed", error) if error else _CUT)
            case Died():
                self._end_all(_DIED)

    def _end(self, name: str, error: EngineError) -> None:
        """No more will come of a request: `error`, where it was not at its end."""
        self._sound.release(self._held.pop(name, []))
        with self._lock:
            answer, weighed = self._running.pop(name, None), self._weighed.pop(name, None)
        if answer is not None:
            answer.error = error
        if weighed is not None:
            weighed.set_exception(error)

    def _end_all(self, error: EngineError) -> None:
        with self._lock:
            names = {*self._running, *self._weighed, *self._held}
        for name in names:
            self._end(name, error)
