"""The schedule's rules, each by itself."""

import torch

from engine.chroma.schedule import Schedule, ends_answer


def run(schedule: Schedule, last_pair_at: int, frames: int) -> list[tuple[bool, bool, int]]:
    """(hears a frame, takes a pair, position) of each step; the pair `last_pair_at` ends the text."""
    steps, pairs = [], 0
    for _ in range(frames):
        steps.append((schedule.frames > 0, schedule.wants_pair, schedule.position))
        pairs += schedule.wants_pair
        schedule.advance(last_pair=schedule.wants_pair and pairs == last_pair_at)
    return steps


def test_two_frames_for_each_pair():
    assert run(Schedule(position=10), last_pair_at=99, frames=5) == [
        (False, True, 10),  # voice prompt, then pair 1
        (True, False, 12),  # frame 1 alone
        (True, True, 13),  # frame 2 and pair 2
        (True, False, 16),
        (True, True, 17),
    ]


def test_the_pair_of_im_end_is_fed_and_then_only_frames_follow():
    steps = run(Schedule(position=0), last_pair_at=2, frames=6)
    assert [takes for _, takes, _ in steps] == [True, False, True, False, False, False]
    assert [position for *_, position in steps] == [0, 2, 3, 6, 7, 8]


def test_text_that_ends_with_its_first_pair():
    assert [takes for _, takes, _ in run(Schedule(position=0), 1, 4)] == [True, False, False, False]


def test_end_of_audio_is_seven_codebooks_of_eos():
    frames = torch.tensor([[0] * 8, [0] * 7 + [5], [0] * 6 + [1, 0], [1] + [0] * 7])
    assert ends_answer(frames, eos=0).tolist() == [True, True, False, False], "the last does not matter"
