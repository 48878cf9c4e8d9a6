"""The conversation: its items in order, and what the model is shown of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from engine import Message
from realtime.protocol.errors import ProtocolError
from realtime.protocol.validation import show
from realtime.session.item import Item


class Conversation:
    """Items in order. Ids are unique."""

    def __init__(self, max_items: int) -> None:
        self._items: list[Item] = []
        self._max_items = max_items

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items)

    def check_room(self) -> None:
        """Raises ProtocolError `conversation_full` where one more item is one too many."""
        if len(self._items) >= self._max_items:
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
        return self._items.pop(self._find(item_id, "item_delete_invalid_item_id", "deleting", None))

    def messages(self) -> tuple[Message, ...]:
        """The conversation as the model is shown it."""
        shown = (item.message() for item in self._items)
        return tuple(message for message in shown if message is not None)

    def _find(self, item_id: str, code: str, doing: str, param: str | None) -> int:
        for place, item in enumerate(self._items):
            if item.id == item_id:
                return place
        raise ProtocolError(
            code, f"Error {doing} item: the item with id {show(item_id)} does not exist.", param
        )
