"""Conversations that are longer than the context: what is left out, so that the rest fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from engine.api import EngineError, Message, Truncation


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is shown to the model, and how many messages before it, system messages not counted, are not."""

    messages: tuple[Message, ...]
    left_out: int


def fit(
    messages: Sequence[Message],
    truncation: Truncation | None,
    room: int,
    count: Callable[[Sequence[Message]], int],
) -> Fitted:
    """Leave out the oldest messages of a conversation that is too long.

    System messages stay, and so does the last turn: the last message that is no answer of a tool, and all
    after it. An answer of a tool never stays without its call.

    Args:
        room: tokens that the conversation may take.
        count: tokens that messages take, as the model is shown them.

    Raises:
        EngineError: `context_length_exceeded`.
    """
    total = count(messages)
    system = [message for message in messages if message.role == "system"]
    others = [message for message in messages if message.role != "system"]
    limit = room
    if truncation is not None and truncation.limit is not None:
        limit = min(room, (count(system) if system else 0) + truncation.limit)
    if total <= limit:
        return Fitted(tuple(messages), 0)
    if truncation is not None:
        wanted = int(limit * truncation.retention)
        for left in _candidates(system, others, wanted, count):
            kept = _without(messages, left)
            total = count(kept)
            if total <= limit:
                return Fitted(kept, left)
    raise EngineError(
        "context_length_exceeded",
        f"the conversation has {total} tokens; this model holds {limit} beside its answer: delete items or"
        " start a new session",
    )


def _candidates(
    system: Sequence[Message],
    others: Sequence[Message],
    wanted: int,
    count: Callable[[Sequence[Message]], int],
) -> Iterator[int]:
    """How many of the oldest to leave out: first so many that the rest should take `wanted` tokens or less,
    then more, since messages one by one may count less than they do together."""
    last = max((at for at, message in enumerate(others) if message.role != "tool"), default=0)
    # What stands around any conversation: not every template can be asked for an empty one.
    around = 2 * count(others[:1]) - count([others[0], others[0]]) if others else 0
    sizes = [count([message]) - around for message in others]
    taken = (count(system) if system else around) + sum(sizes)
    for left in range(1, last + 1):
        taken -= sizes[left - 1]
        if (taken <= wanted and others[left].role != "tool") or left == last:
            yield left


def _without(messages: Sequence[Message], left: int) -> tuple[Message, ...]:
    kept: list[Message] = []
    for message in messages:
        if message.role != "system" and left:
            left -= 1
        else:
            kept.append(message)
    return tuple(kept)
