"""What the frame loop is asked for, and who hears of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from engine.api import EngineError
from engine.chroma.llama import KvPool
from engine.chroma.reasoner import ReasonerPrompt, Thought
from engine.chroma.speaker import Pair, Sampling, Spoken

Reason = Literal["completed", "length", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class Said:
    """What of a token is spoken: the pairs that may be heard now, the token's own or earlier ones.

    `silent`: nothing of this answer is ever spoken. `over`: its text ends here, whatever the Reasoner
    would go on to say.
    """

    pairs: tuple[Pair, ...] = ()
    silent: bool = False
    over: bool = False


class Listener(Protocol):
    """Who hears of one answer, in the loop's thread. `finished` comes last, exactly once."""

    def thought(self, thought: Thought) -> Said:
        """One more token. Where anything was said, the last pair of an answer is its `last` one. Raises
        EngineError where the text cannot be taken: that ends the answer."""
        ...

    def begun(self, kept: int) -> None:
        """Its prompt is read. So many of the first tokens had been read before."""
        ...

    def spoken(self, spoken: Spoken) -> None: ...

    def finished(self, reason: Reason, error: EngineError | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Job:
    """One answer to be made. `voice` None: text alone. `max_frames` and `max_tokens` (text tokens and
    frames together) end it early."""

    id: str
    prompt: ReasonerPrompt
    voice: KvPool | None
    sampling: Sampling
    max_frames: int
    max_tokens: int | None = None
