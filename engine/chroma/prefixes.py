"""Which slot holds what: prompts that were read are kept until their slot is needed.

A turn's prompt begins with all of the turn before it, so the slot that answered that one has read most of
it already. No tensors of the model here: this is the bookkeeping, the pool holds the numbers.
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

    def take(self, keys: np.ndarray) -> tuple[int, int]:
        """Take the free slot that holds most of the beginning of `keys`; where none holds any of it, the one
        that was let go longest ago. Returns it and how many tokens it holds of them, the last one never:
        what comes after a prompt needs its last hidden state.

        Raises:
            LookupError: no slot is free.
        """
        free = [index for index, slot in enumerate(self._slots) if not slot.busy]
        if not free:
            raise LookupError("no slot is free")
        shared = {index: _shared(self._slots[index].keys, keys[:-1]) for index in free}
        best = max(free, key=lambda index: (shared[index], -self._slots[index].used))
        slot = self._slots[best]
        slot.busy, slot.keys = True, keys[: shared[best]]
        return best, shared[best]

    def let_go(self, index: int, keys: np.ndarray) -> None:
        """A slot is free again; it holds these tokens."""
        self._clock += 1
        slot = self._slots[index]
        slot.busy, slot.keys, slot.used = False, keys, self._clock


def _shared(one: np.ndarray, other: np.ndarray) -> int:
    length = min(len(one), len(other))
    different = np.flatnonzero(one[:length] != other[:length])
    return int(different[0]) if len(different) else length
