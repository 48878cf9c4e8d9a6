"""Rows of several answers behind one reference, as what the Backbone hears of them: who stands where, and who
hears whom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from training.speech.data import Row


@dataclass(frozen=True, slots=True)
class Packed:
    """A batch of rows as index tensors; positions are places in the flattened [B * T].

    Attributes:
        shape: (B, T).
        rotary: int64 [B, T], each answer's positions going on from the reference's.
        hears: bool [B, 1, T, T].
        text_at, text: places of the references' text, and its token ids.
        states_at, words_at, words: places of hidden states and of words, and the words' token ids.
        frames_at, frames: places of frames that are heard, and their codes [N, 8].
        own: int64 [N], the number of the answer whose own past a frame is; -1 for those of references.
        asked_at, asked: places whose output makes a frame, and the codes wanted there [M, 8].
    """

    shape: tuple[int, int]
    rotary: torch.Tensor
    hears: torch.Tensor
    text_at: torch.Tensor
    text: torch.Tensor
    states_at: torch.Tensor
    words_at: torch.Tensor
    words: torch.Tensor
    frames_at: torch.Tensor
    frames: torch.Tensor
    own: torch.Tensor
    asked_at: torch.Tensor
    asked: torch.Tensor


def pack(rows: list[Row]) -> Packed:
    """Lay the rows out beside each other."""
    lengths = [row.prefix + sum(each.length - row.prefix for each in row.layouts) for row in rows]
    width = max(lengths)
    rotary = np.zeros((len(rows), width), dtype=np.int64)
    # Which part each position belongs to: 0 the reference, 1 and onward an answer, -1 nothing.
    part = np.full((len(rows), width), -1)
    columns: dict[str, list[np.ndarray]] = {
        name: []
        for name in (
            "text_at",
            "text",
            "states_at",
            "words",
            "frames_at",
            "frames",
            "own",
            "asked_at",
            "asked",
        )
    }

    def put(**arrays: np.ndarray) -> None:
        for name, array in arrays.items():
            columns[name].append(array)

    answers = 0
    for index, row in enumerate(rows):
        begin, first = index * width, row.layouts[0]
        rotary[index, : row.prefix] = np.arange(row.prefix)
        part[index, : row.prefix] = 0
        put(text_at=begin + first.text_at, text=first.text)
        put(frames_at=begin + first.reference_at, frames=first.reference)
        put(own=np.full(len(first.reference_at), -1))
        at = row.prefix
        for number, (layout, words) in enumerate(zip(row.layouts, row.words, strict=True), 1):
            length = layout.length - row.prefix
            rotary[index, at : at + length] = np.arange(row.prefix, layout.length)
            part[index, at : at + length] = number
            moved = begin + at - row.prefix
            put(states_at=moved + layout.pairs_at, words=words)
            put(frames_at=moved + layout.frames_at, frames=layout.frames)
            put(own=np.full(len(layout.frames_at), answers))
            put(asked_at=moved + layout.asked_at, asked=layout.asked)
            at += length
            answers += 1
    joined = {name: torch.from_numpy(np.concatenate(arrays)) for name, arrays in columns.items()}
    parts = torch.from_numpy(part)
    same = parts[:, :, None] == parts[:, None, :]
    reference = (parts == 0)[:, None, :]
    causal = torch.ones(width, width, dtype=torch.bool).tril()
    return Packed(
        shape=(len(rows), width),
        rotary=torch.from_numpy(rotary),
        hears=((same | reference) & causal)[:, None],
        words_at=joined["states_at"] + 1,
        **joined,
    )
