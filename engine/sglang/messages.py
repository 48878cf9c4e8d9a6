"""What passes between the engine's process and the one that hosts SGLang, framed as in `engine.wire`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Block:
    """One block of sound in a prompt: `rows` embeddings from token `start` on. `name` goes by their content;
    `slot` is where they lie (`engine.sglang.sound`)."""

    start: int
    rows: int
    slot: int
    name: int


@dataclass(frozen=True, slots=True)
class Launch:
    """To the host, first of all and once: start SGLang on a derived folder.

    `arguments`: of SGLang's server, by name, ours. `options`: those of the user, as text.
    """

    folder: Path
    arguments: dict[str, Any]
    options: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """To the host: answer a prompt, token ids with `blocks` of sound among them, in at most `most` tokens.
    It begins with `forced`, and ends with the token `end`; -1: with none."""

    id: str
    ids: list[int]
    blocks: tuple[Block, ...]
    forced: tuple[int, ...]
    end: int
    most: int


@dataclass(frozen=True, slots=True)
class Read:
    """To the host: read a prompt that others will begin with."""

    id: str
    ids: list[int]
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Weigh:
    """To the host: how likely a token of `one` is after a prompt, and one of `other`."""

    id: str
    ids: list[int]
    blocks: tuple[Block, ...]
    one: tuple[int, ...]
    other: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """To the host: this is not wanted any more."""

    id: str


@dataclass(frozen=True, slots=True)
class Launched:
    """From the host, once: SGLang serves. `room`: tokens that its cache holds."""

    room: int


@dataclass(frozen=True, slots=True)
class NotLaunched:
    """From the host, instead of `Launched`."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Said:
    """From the host: more tokens of an answer, and for each the bytes of the hidden state that predicted it.
    `cached`: how many of the prompt's first tokens had been read before."""

    id: str
    tokens: tuple[int, ...]
    rows: tuple[bytes, ...]
    cached: int


@dataclass(frozen=True, slots=True)
class Weighed:
    """From the host: the probability that was asked for."""

    id: str
    probability: float


@dataclass(frozen=True, slots=True)
class Over:
    """From the host: the last of each id. `error` says why it ended before its end. `retractions`: how often
    SGLang's cache was too small for all answers, so that this one had to wait and was read again."""

    id: str
    error: str | None = None
    retractions: int = 0


ToHost = Launch | Answer | Read | Weigh | Stop
FromHost = Launched | NotLaunched | list[Said | Weighed | Over]
"""What SGLang made in one step comes in one message."""
