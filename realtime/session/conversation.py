"""The conversation: its items in order, and what the model is shown of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from engine import Message
from realtime.protocol.errors import ProtocolError
from realtime.protocol.validation import show
from realtime.session.call_order import in_call_order
from realtime.session.item import CallItem, CallOutputItem, Item, MessageItem


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as the model is shown it, and the items that it is made of."""

    message: Message
    item_ids: tuple[str, ...]


def shown(items: Iterable[Item]) -> list[Shown]:
    """Items as messages. What the assistant says and the calls it makes then are one turn of its own; what
    the tools answered follows in the order of the calls."""
    turns: list[Shown] = []
    for item in in_call_order(items, _called, _answered):
        message = item.message()
        if message is None:
            continue
        last = turns[-1] if turns else None
        if isinstance(item, CallItem) and last and last.message.role == "assistant":
            joined = Message("assistant", last.message.parts + message.parts)
            turns[-1] = Shown(joined, (*last.item_ids, item.id))
        else:
            turns.append(Shown(message, (item.id,)))
    return turns


def _called(item: Item) -> tuple[str, ...]:
    return (item.call_id,) if isinstance(item, CallItem) else ()


def _answered(item: Item) -> str | None:
    return item.call_id if isinstance(item, CallOutputItem) else None


class Conversation:
    """Items in order. Ids are unique."""

    def __init__(self, max_items: int) -> None:
        self._items: list[Item] = []
        self._max_items = max_items
        self._left_out: set[str] = set()

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    @property
    def full(self) -> bool:
        """One more item is one too many."""
        return len(self._items) >= self._max_items

    def check_room(self) -> None:
        """Raises ProtocolError `conversation_full` where it is full."""
        if self.full:
            raise ProtocolError(
                "conversation_full",
                f"The conversation holds {self._max_items} items, its limit; delete some of them.",
            )

    def add(self, item: Item, after: str | None = None, promised_id: str | None = None) -> str | None:
        """Put an item after the one named, "root" for the front, None for the end. `promised_id` is kept
        for an item to come.

        Returns:
            The id before it, None where it is first.

        Raises:
            ProtocolError: the id is taken, or there is no item to put it after.
        """
        if item.id == promised_id or any(other.id == item.id for other in self._items):
            raise ProtocolError(
                "item_create_duplicate_item_id",
                f"Error adding item: an item with id {show(item.id)} already exists.",
                "item.id",
            )
        if after is None:
            place = len(self._items)
        elif after == "root":
            place = 0
        else:
            place = (
                self._find(after, "item_create_invalid_previous_item_id", "adding", "previous_item_id") + 1
            )
        self._items.insert(place, item)
        return self._items[place - 1].id if place else None

    def get(self, item_id: str, verb: Literal["retrieve", "truncate"]) -> Item:
        """The item of this id. Raises ProtocolError, its code after the verb."""
        code = f"item_{verb}_invalid_item_id"
        return self._items[self._find(item_id, code, verb.removesuffix("e") + "ing", "item_id")]

    def delete(self, item_id: str) -> Item:
        """Remove an item and return it."""
        self._left_out.discard(item_id)
        return self._items.pop(self._find(item_id, "item_delete_invalid_item_id", "deleting", None))

    def find(self, item_id: str) -> Item | None:
        """The item of this id, if there is one."""
        return next((item for item in self._items if item.id == item_id), None)

    def let_go_of_sound(self, most: int, newest: Item) -> tuple[str, ...]:
        """Keep at most `most` bytes of sound: the oldest leaves, transcripts stay. That of `newest`, and of
        an answer that is being made, is kept in any case. Returns the ids of sounds that have left."""
        spoken = [item for item in self._items if isinstance(item, MessageItem)]
        held = sum(len(part.pcm) for item in spoken for part in item.content)
        gone: list[str] = []
        for item in spoken:
            if held <= most:
                break
            if item is not newest and item.status != "in_progress":
                held -= sum(len(part.pcm) for part in item.content)
                gone += item.audio_ids()
                for part in item.content:
                    part.let_go()
        return tuple(gone)

    def shown(self) -> list[Shown]:
        """The conversation as the model is shown it."""
        return shown(item for item in self._items if item.id not in self._left_out)

    def leave_out(self, item_ids: Collection[str]) -> None:
        """The model is not shown these any more: there was no room for them. Clients still are."""
        self._left_out.update(item_ids)

    def _find(self, item_id: str, code: str, doing: str, param: str | None) -> int:
        for place, item in enumerate(self._items):
            if item.id == item_id:
                return place
        raise ProtocolError(
            code, f"Error {doing} item: the item with id {show(item_id)} does not exist.", param
        )
