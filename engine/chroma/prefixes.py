"""Which slot holds what: prompts that were read are kept until their slot is needed.

A turn's prompt begins with all of the turn before it, so the slot that answered that one has read most of
it already; and many conversations begin with the same instructions. No tensors of the model here: this is
the bookkeeping, the pool holds the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def keys_of(ids: Sequence[int], audio_token: int, marks: Sequence[object]) -> np.ndarray:
    """Names of a prompt's tokens, int64 [T]: equal names mean equal embeddings.

    Args:
        ids: token ids.
        marks: a name for each audio token, in order; the same name is the same sound.
    """
    keys = np.array(ids, dtype=np.int64)
    places = np.flatnonzero(keys == audio_token)
    if len(places) != len(marks):
        raise ValueError(f"{len(places)} audio tokens, and names for {len(marks)}")
    # Below 0, so that none is ever taken for a token of text.
    keys[places] = [-1 - (hash(mark) & (1 << 62) - 1) for mark in marks]
    return keys


@dataclass(frozen=True, slots=True)
class Taken:
    """A slot that is taken. The first `kept` tokens of its prompt need not be read: it holds them, once they
    are copied from slot `source`, where that is given."""

    slot: int
    kept: int
    source: int | None = None


@dataclass(slots=True)
class _Slot:
    keys: np.ndarray
    used: int = 0
    busy: bool = False


class Prefixes:
    """Slots, and the tokens whose keys and values each of them holds from its first position on."""

    def __init__(self, slots: int) -> None:
        self._slots = [_Slot(np.empty(0, dtype=np.int64)) for _ in range(slots)]
        self._clock = 0

    @property
    def free(self) -> int:
        """Slots that can be taken."""
        return sum(not slot.busy for slot in self._slots)

    @property
    def kept(self) -> int:
        """Tokens that the free slots hold."""
        return sum(len(slot.keys) for slot in self._slots if not slot.busy)

    def take(self, keys: np.ndarray) -> Taken:
        """Take a slot for a prompt: the free one that holds most of its beginning, if that is more than what
        else it holds, which is lost; otherwise an empty one, or the one that was let go longest ago.

        The last token is never among those that are kept: what comes after a prompt needs its hidden state.

        Raises:
            LookupError: no slot is free.
        """
        free = [index for index, slot in enumerate(self._slots) if not slot.busy]
        if not free:
            raise LookupError("no slot is free")
        shared = [_shared(slot.keys, keys[:-1]) for slot in self._slots]
        best = max(free, key=lambda index: shared[index])
        if shared[best] > len(self._slots[best].keys) - shared[best]:
            taken = Taken(best, shared[best])
        else:
            slot = min(free, key=lambda index: (len(self._slots[index].keys) > 0, self._slots[index].used))
            # What a slot is known to hold stays as it is while it is busy: that may be copied too.
            source = max(range(len(self._slots)), key=lambda index: shared[index])
            taken = Taken(slot, shared[source], source if shared[source] and source != slot else None)
        self._slots[taken.slot].busy, self._slots[taken.slot].keys = True, keys[: taken.kept]
        return taken

    def let_go(self, index: int, keys: np.ndarray) -> None:
        """A slot is free again; it holds these tokens."""
        self._clock += 1
        slot = self._slots[index]
        slot.busy, slot.keys, slot.used = False, keys, self._clock


def _shared(one: np.ndarray, other: np.ndarray) -> int:
    length = min(len(one), len(other))
    different = np.flatnonzero(one[:length] != other[:length])
    return int(different[0]) if len(different) else length
