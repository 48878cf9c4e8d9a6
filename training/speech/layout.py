"""What the Backbone hears of one answer, position by position, as the engine's schedule lays it out.

`text_start`, the reference's transcript, `text_end`, the reference's frames, one zero vector; then pair 1,
frame 1, frame 2, pair 2, frame 3, frame 4, pair 3, … and frames alone after the last pair.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.chroma.schedule import Schedule
from training.shapes import CODEBOOKS

EOS_FRAME = np.zeros((1, CODEBOOKS), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Layout:
    """One answer as index arrays over its parts.

    Attributes:
        length: positions in all.
        text_at, text: positions of the reference's text, and its token ids.
        reference_at, reference: positions of the reference's frames, and their codes [n, 8].
        pairs_at: position of each pair's hidden state; its token's embedding follows.
        frames_at, frames: positions of the answer's frames as they are heard, and their codes [n, 8].
        asked_at, asked: positions whose output makes a frame, and the codes wanted there [n + 1, 8], the
            last of them the end.
    """

    length: int
    text_at: np.ndarray
    text: np.ndarray
    reference_at: np.ndarray
    reference: np.ndarray
    pairs_at: np.ndarray
    frames_at: np.ndarray
    frames: np.ndarray
    asked_at: np.ndarray
    asked: np.ndarray


def lay_out(text: np.ndarray, reference: np.ndarray, pairs: int, frames: np.ndarray) -> Layout:
    """Lay out one answer.

    Args:
        text: ids of the reference's transcript with `text_start` and `text_end` around it.
        reference: its codes [n, 8].
        pairs: how many text tokens the answer has, `im_end` included.
        frames: the answer's codes [n, 8].
    """
    begin = len(text) + len(reference) + 1
    schedule = Schedule(position=begin)
    pairs_at: list[int] = []
    frames_at: list[int] = []
    asked_at: list[int] = []
    for index in range(len(frames) + 1):
        at = schedule.position
        if schedule.frames > 0:
            frames_at.append(at)
        last_pair = False
        if schedule.wants_pair:
            pairs_at.append(at + schedule.length - 2)
            last_pair = len(pairs_at) == pairs
        schedule.advance(last_pair=last_pair)
        asked_at.append(schedule.position - 1)
        assert schedule.frames == index + 1
    return Layout(
        length=schedule.position,
        text_at=np.arange(len(text)),
        text=text,
        reference_at=np.arange(len(text), len(text) + len(reference)),
        reference=reference,
        pairs_at=np.array(pairs_at),
        frames_at=np.array(frames_at, dtype=np.int64),
        frames=frames[: len(frames_at)],
        asked_at=np.array(asked_at),
        asked=np.concatenate((frames, EOS_FRAME)),
    )
