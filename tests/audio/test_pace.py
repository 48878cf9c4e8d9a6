"""When a batch begins: at once where few talk, 10 ms after the last where many do."""

import pytest

from realtime.audio.pace import Pace

WINDOW_S = 0.032


def talk(pace: Pace, streams: int, seconds: float, apart: float = 0.01) -> float:
    """So many streams are heard in batches; returns when the last of them began."""
    now, owed = 100.0, 0.0
    while now < 100.0 + seconds:
        owed += streams * apart / WINDOW_S
        pace.began(now, int(owed))
        owed -= int(owed)
        now += apart
    return now - apart


@pytest.mark.parametrize("streams", [0, 1, 4, 7])
def test_few_wait_for_nothing(streams):
    pace = Pace()
    last = talk(pace, streams, 1.0)
    assert pace.pause_s(last + 0.001) == 0


@pytest.mark.parametrize("streams", [9, 50, 200])
def test_many_gather_for_10_ms_from_one_beginning_to_the_next(streams):
    pace = Pace()
    last = talk(pace, streams, 1.0)
    assert pace.pause_s(last) == pytest.approx(0.01)
    assert pace.pause_s(last + 0.004) == pytest.approx(0.006)


def test_what_took_longer_is_followed_at_once():
    pace = Pace()
    last = talk(pace, 200, 1.0)
    assert pace.pause_s(last + 0.0101) == 0
    assert pace.pause_s(last + 5) == 0


def test_those_who_have_fallen_silent_no_longer_count():
    pace = Pace()
    last = talk(pace, 50, 1.0)
    pace.began(last + 0.4, 1)
    assert pace.pause_s(last + 0.4) == 0
