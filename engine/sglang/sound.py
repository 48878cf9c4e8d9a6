"""Embeddings of sound between the engine's process and SGLang's, in memory that both see.

A block is what the audio tower hears of at most 2 s. It is written once, however many prompts it stands in:
a request names its blocks, and the model reads those that are not in SGLang's cache. The memory is a file
without a name, which is gone when the engine's process is.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import torch

from engine.sglang.messages import Block

ENVIRONMENT = "CHROMA_REALTIME_SOUND"
"""Environment: where `SoundReader` finds the file, and what lies in it."""
_NAMES = 1 << 62
_FIRST_NAME = 1 << 32
"""Names of sound stand among token ids: they are far from those of text, and no two sounds share one."""


@dataclass(slots=True)
class _Slot:
    """What lies in a slot, and how many requests may still read it."""

    key: Hashable
    slot: int
    name: int
    users: int = 0


class SoundStore:
    """The writing side. All of it belongs to one thread.

    Args:
        rows: most embeddings of a block.
        hidden: numbers of each.
        dtype: in which they are kept.
        spare: blocks that are kept though no request needs them.
    """

    def __init__(self, rows: int, hidden: int, dtype: torch.dtype, *, spare: int = 2048) -> None:
        self.rows, self.dtype, self._hidden, self._spare = rows, dtype, hidden, spare
        self._memory = io.FileIO(os.memfd_create("chroma-realtime-sound"), "r+")
        self._file = self._memory.fileno()
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()
        """By what was asked for; the one that was used last at the end."""
        self._idle = 0
        self._free: list[int] = []
        self._made = 0

    @property
    def size(self) -> int:
        """Bytes of a slot."""
        return self.rows * self._hidden * self.dtype.itemsize

    @property
    def environment(self) -> dict[str, str]:
        """What a process has to be given that reads."""
        kind = str(self.dtype).removeprefix("torch.")
        return {ENVIRONMENT: f"/proc/{os.getpid()}/fd/{self._file}:{self.rows}:{self._hidden}:{kind}"}

    def known(self, key: Hashable) -> bool:
        """The block of this key need not be written."""
        return key in self._slots

    def hold(self, key: Hashable, start: int, rows: torch.Tensor | None, count: int) -> Block:
        """Take a block for a request, until `release`.

        Args:
            key: names the block; equal keys are equal blocks.
            rows: float [count, hidden] on the CPU, in `dtype`; None where the block is known.
        """
        entry = self._slots.get(key)
        if entry is None:
            assert rows is not None, f"block {key!r} is not known"
            data = rows.contiguous().view(torch.uint8).numpy().tobytes()
            entry = self._slots[key] = _Slot(key, self._take(), name_of(data))
            os.pwrite(self._file, data, entry.slot * self.size)
        elif entry.users == 0:
            self._idle -= 1
        entry.users += 1
        self._slots.move_to_end(key)
        return Block(start, count, entry.slot, entry.name)

    def release(self, keys: list[Hashable]) -> None:
        """A request will not read these any more."""
        for key in keys:
            entry = self._slots[key]
            entry.users -= 1
            if entry.users == 0:
                self._idle += 1
                self._slots.move_to_end(key)
        if self._idle > self._spare:
            idle = [key for key, entry in self._slots.items() if entry.users == 0]
            for key in idle[: self._idle - self._spare]:
                self._free.append(self._slots.pop(key).slot)
            self._idle = self._spare

    def close(self) -> None:
        self._memory.close()

    def _take(self) -> int:
        if self._free:
            return self._free.pop()
        self._made += 1
        os.ftruncate(self._file, self._made * self.size)
        return self._made - 1


class SoundReader:
    """The reading side, in a scheduler's process."""

    def __init__(self, path: str, rows: int, hidden: int, dtype: torch.dtype) -> None:
        self._file = os.open(path, os.O_RDONLY)
        self._hidden, self._dtype = hidden, dtype
        self._size = rows * hidden * dtype.itemsize

    @classmethod
    def of_environment(cls) -> SoundReader:
        """By `SoundStore.environment`."""
        path, rows, hidden, kind = os.environ[ENVIRONMENT].rsplit(":", 3)
        return cls(path, int(rows), int(hidden), getattr(torch, kind))

    def read(self, slot: int, rows: int) -> torch.Tensor:
        """A block, float [rows, hidden] on the CPU."""
        wanted = rows * self._hidden * self._dtype.itemsize
        data = os.pread(self._file, wanted, slot * self._size)
        if len(data) != wanted:
            raise EOFError(f"block {slot} of the sound is not there")
        return torch.frombuffer(bytearray(data), dtype=self._dtype).view(rows, self._hidden)


def name_of(data: bytes) -> int:
    """The name of a block by its content, a number that is no token's id."""
    digest = int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")
    return _FIRST_NAME + digest % (_NAMES - _FIRST_NAME)


def places(ids: list[int], audio_token: int, most: int) -> list[tuple[int, int]]:
    """Where a prompt's blocks of sound are: first token and count. Each sound, a run of audio tokens, is cut
    from its beginning on into blocks of `most`, as the audio tower does."""
    here = np.flatnonzero(np.array(ids) == audio_token)
    if not len(here):
        return []
    runs = np.split(here, np.flatnonzero(np.diff(here) > 1) + 1)
    return [
        (int(run[begin]), min(most, len(run) - begin)) for run in runs for begin in range(0, len(run), most)
    ]
