"""Which of several engines answers a conversation."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence

_REMEMBERED = 8192


class Placement:
    """Conversations stay where they were answered last, as what was read of them lies there; a new one goes
    where there is least to do."""

    def __init__(self, engines: int) -> None:
        self._placed: OrderedDict[str, int] = OrderedDict()
        self._held = Counter(dict.fromkeys(range(engines), 0))

    def choose(self, conversation: str | None, up: Sequence[bool], running: Sequence[int]) -> int:
        """The engine for an answer.

        Args:
            conversation: that it belongs to; None: to none.
            up: the engines that serve. Where none does, any is as good.
            running: answers that each of them makes.
        """
        place = self._placed.get(conversation) if conversation is not None else None
        if place is None or not (up[place] or not any(up)):
            able = [index for index, serves in enumerate(up) if serves] or range(len(up))
            place = min(able, key=lambda index: (running[index], self._held[index], index))
        if conversation is not None:
            self._remember(conversation, place)
        return place

    def _remember(self, conversation: str, place: int) -> None:
        before = self._placed.pop(conversation, None)
        if before is not None:
            self._held[before] -= 1
        self._placed[conversation] = place
        self._held[place] += 1
        if len(self._placed) > _REMEMBERED:
            self._held[self._placed.popitem(last=False)[1]] -= 1
