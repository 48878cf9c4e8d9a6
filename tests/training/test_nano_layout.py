"""What the Backbone is trained to hear is what the engine lets it hear."""

from collections import deque

import numpy as np
import pytest
import torch

from engine.chroma.frame_step import FrameInputs, FrameStep
from engine.chroma.schedule import Schedule, ends_answer
from engine.chroma.speaker import Pair, Sampling, Speaker
from training.speech.layout import EOS_FRAME, lay_out

TEXT, REFERENCE = np.array([1, 7, 8, 2]), np.arange(5 * 8).reshape(5, 8)


def engine_steps(begin: int, pairs: int, frames: int) -> list[tuple[int, bool, int | None]]:
    """(position of the last thing heard, a frame is heard, the pair that is heard) of each of its steps."""
    schedule, steps, taken = Schedule(position=begin), [], 0
    for _ in range(frames):
        pair = None
        hears = schedule.frames > 0
        if schedule.wants_pair:
            pair, taken = taken, taken + 1
        schedule.advance(last_pair=pair is not None and taken == pairs)
        steps.append((schedule.position - 1, hears, pair))
    return steps


@pytest.mark.parametrize(("pairs", "frames"), [(1, 1), (1, 9), (4, 20), (12, 31), (9, 4), (3, 0)])
def test_the_layout_is_the_schedule(pairs, frames):
    answer = np.arange(frames * 8).reshape(frames, 8) + 1
    layout = lay_out(TEXT, REFERENCE, pairs, answer)
    begin = len(TEXT) + len(REFERENCE) + 1
    assert layout.text_at.tolist() == [0, 1, 2, 3]
    assert layout.reference_at.tolist() == [4, 5, 6, 7, 8]
    steps = engine_steps(begin, pairs, frames + 1)
    assert layout.asked_at.tolist() == [last for last, _, _ in steps]
    assert layout.length == steps[-1][0] + 1
    # A pair is the last two things of its step.
    assert layout.pairs_at.tolist() == [last - 1 for last, _, pair in steps if pair is not None]
    heard = [last - (2 if pair is not None else 0) for last, hears, pair in steps if hears]
    assert layout.frames_at.tolist() == heard
    assert (layout.asked == np.concatenate((answer, EOS_FRAME))).all()
    assert (layout.frames == answer[: len(heard)]).all()
    places = [*layout.text_at, *layout.reference_at, begin - 1, *layout.pairs_at, *(layout.pairs_at + 1)]
    assert sorted([*places, *layout.frames_at]) == list(range(layout.length))


def test_the_last_frame_asked_for_ends_an_answer():
    assert ends_answer(EOS_FRAME[0], eos=0)


class _Frames:
    """A Backbone that writes down what it hears, row by row, instead of hearing it."""

    dtype = torch.float32

    def embed_frames(self, codes: torch.Tensor) -> torch.Tensor:
        return codes[:, :1].float().expand(-1, 4)


def test_the_speaker_hears_what_was_laid_out():
    """The Speaker's own inputs, step by step, put where the layout has them."""
    frames = np.arange(9 * 8).reshape(9, 8) + 100
    layout = lay_out(TEXT, REFERENCE, 3, frames)
    begin = len(TEXT) + len(REFERENCE) + 1
    speaker, step = object.__new__(Speaker), object.__new__(FrameStep)
    speaker.slots, speaker.device, step.frames = 1, torch.device("cpu"), _Frames()
    inputs = FrameInputs.of(1, 4, torch.float32, speaker.device)
    speech = type("Speech", (), {})()
    speech.slot, speech.schedule, speech.sampling = 0, Schedule(position=begin), Sampling(0.0, 0)
    speech.pairs = deque(Pair(torch.full((2, 4), -1.0 - index), last=index == 2) for index in range(3))
    heard = []
    for index in range(len(frames) + 1):
        step.last_codes = torch.from_numpy(frames[index - 1 : index] if index else frames[:1])
        length = speech.schedule.length
        speaker._write(inputs, {0: speech})
        heard += step.hear(inputs, length)[0, :, 0].tolist()
    wanted = np.zeros(layout.length)
    wanted[layout.frames_at] = layout.frames[:, 0]
    wanted[layout.pairs_at] = wanted[layout.pairs_at + 1] = [-1, -2, -3]
    assert heard == wanted[begin:].tolist()
