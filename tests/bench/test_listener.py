"""Who runs dry, and who does not."""

import pytest

from realtime.bench.listener import Heard, Level, Listener, most_good

FRAME = bytes(2 * 1920)
"""80 ms."""


def listened(*times: float, asked: float = 0.0) -> Listener:
    listener = Listener(asked)
    for time in times:
        listener.hear(time, FRAME)
    return listener


def test_sound_that_comes_ahead_leaves_no_gap():
    heard = listened(1.0, 1.03, 1.06, 1.23, asked=0.4).over(1.25, whole=False)
    assert heard.wait == pytest.approx(0.6)
    assert heard.gaps == ()
    assert heard.plays == pytest.approx((1.0, 1.32))
    assert heard.intervals == pytest.approx((0.03, 0.03, 0.17))
    assert heard.jitter == pytest.approx([0.0, 0.0, 0.14])


def test_a_frame_that_comes_too_late_is_a_gap():
    heard = listened(1.0, 1.05, 1.26, 1.34).over(1.34, whole=False)
    assert heard.gaps == pytest.approx((0.1,))
    assert heard.plays == pytest.approx((1.0, 1.42))


def test_silence_at_the_end_is_a_gap_only_where_more_is_to_come():
    assert listened(1.0).over(1.5, whole=True).gaps == ()
    assert listened(1.0).over(1.5, whole=False).gaps == pytest.approx((0.42,))
    assert listened(1.0).over(1.05, whole=False).gaps == ()


def test_an_answer_without_sound():
    listener = listened()
    assert not listener.hears
    assert listener.over(9.0, whole=True) == Heard()
    assert Heard().jitter == []
    assert Heard().played(0.0, 100.0) == 0.0


def test_what_is_played_within_a_time():
    heard = Heard(0.1, (), (10.0, 14.0))
    assert [heard.played(*times) for times in ((0, 20), (11, 13), (12, 20), (0, 11), (15, 20))] == [
        4,
        2,
        2,
        1,
        0,
    ]


GOOD, DRY, SILENT = Heard(0.2, (), (0.0, 1.0)), Heard(0.4, (0.1, 0.3), (0.0, 1.0)), Heard()


def test_a_level_counts_sessions_and_gaps():
    level = Level(3, [[GOOD, DRY], [DRY, DRY], [GOOD, SILENT]])
    assert (level.dry, len(level.gaps), level.silent, len(level.answers)) == (2, 6, 1, 6)
    assert level.waits == [0.2, 0.4, 0.4, 0.4, 0.2]
    assert not level.good


@pytest.mark.parametrize(
    ("level", "good"),
    [
        (Level(1, [[GOOD]]), True),
        (Level(1, [[GOOD, DRY]]), False),
        (Level(1, [[GOOD, SILENT]]), False),
        (Level(1, [[GOOD]], failures=1), False),
        (Level(1, [[]]), False),
    ],
)
def test_a_level_is_good_where_nobody_ran_dry(level, good):
    assert level.good is good


def test_the_most_sessions_have_only_good_levels_below():
    good, bad = [[GOOD]], [[DRY]]
    assert most_good([]) == 0
    assert most_good([Level(1, bad)]) == 0
    assert most_good([Level(4, good), Level(1, good), Level(8, bad)]) == 4
    assert most_good([Level(1, good), Level(2, bad), Level(4, good)]) == 1
