"""One question with its right answer, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ToolOffer:
    """A function that the conversation offers. `parameter` is its only one, or empty."""

    name: str
    parameter: str = ""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call that answers a question, and what the tool returned for it."""

    name: str
    arguments: dict[str, Any]
    output: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question as it is spoken (lower case, no punctuation, numbers as words) and its answer.

    Attributes:
        kind: the skill it belongs to.
        more: what "tell me more" brings out next, in order.
        use: the tool call that comes before `answer`, if any.
    """

    kind: str
    user: str
    answer: str
    more: tuple[str, ...] = ()
    use: ToolUse | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """Exchanges in order, and the tools that are offered all along."""

    exchanges: tuple[Exchange, ...]
    tools: tuple[ToolOffer, ...] = field(default=())
