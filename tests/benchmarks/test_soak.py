"""The soak's short form, and that it would see a leak."""

import pytest

from benchmarks.soak import MOST_GROWTH, growth, soak


def test_a_few_sessions_come_and_go_and_nothing_stays(capsys):
    pytest.importorskip("hdrh")
    readings = soak("echo", sessions=3, seconds=0.0, a_round=1.5, warm_up=1)
    assert len(readings) == 3
    assert "'opened': 3" in capsys.readouterr().out
    assert readings[-1].descriptors <= readings[0].descriptors
    assert growth([one.memory for one in readings]) < MOST_GROWTH


@pytest.mark.parametrize(
    ("values", "grown"),
    [([100.0] * 9, 0.0), ([100, 101, 99, 100, 103, 100, 104, 105, 104], 0.04), ([100, 150, 200], 1.0)],
)
def test_growth_is_of_the_last_third_over_the_first(values, grown):
    assert growth(values) == pytest.approx(grown)
