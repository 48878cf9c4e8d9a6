"""The soak's short form, and that it would see a leak."""

import pytest

from benchmarks.soak import MOST_GROWTH, Talking, grown, growth, soak, told


def test_a_few_sessions_come_and_go_and_nothing_stays(capsys):
    pytest.importorskip("hdrh")
    talking = Talking(sessions=3, seconds=1.5)
    readings = soak("echo", talking, seconds=0.0, warm_up=1)
    assert len(readings) == 3
    assert "'opened': 3" in capsys.readouterr().out
    assert readings[-1].descriptors <= readings[0].descriptors
    assert grown(readings)["memory"] < MOST_GROWTH
    assert "s: 9 sessions, " in told(talking, readings)


@pytest.mark.parametrize(
    ("values", "grown"),
    [([100.0] * 9, 0.0), ([100, 101, 99, 100, 103, 100, 104, 105, 104], 0.04), ([100, 150, 200], 1.0)],
)
def test_growth_is_of_the_last_third_over_the_first(values, grown):
    assert growth(values) == pytest.approx(grown)
