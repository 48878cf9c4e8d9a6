"""When engines are added and when they go, with a clock that the test moves."""

import pytest

from engine.scaling import RETRY_S, Bounds, Move, Phase, Place, Scaling

IDLE_S = 60.0
OFF, STARTING, SERVING, DRAINING = Phase.OFF, Phase.STARTING, Phase.SERVING, Phase.DRAINING


def fleet(*engines: tuple[Phase, int], room: int = 10) -> list[Place]:
    return [Place(phase, running, room) for phase, running in engines]


@pytest.fixture
def scaling() -> Scaling:
    return Scaling(Bounds(least=1, most=3, idle_s=IDLE_S))


@pytest.mark.parametrize(
    ("running", "started"), [((7,), []), ((8,), [1]), ((15,), [1]), ((16,), [1, 2]), ((99,), [1, 2])]
)
def test_as_many_are_started_as_the_answers_fill(scaling, running, started):
    places = fleet((SERVING, *running), (OFF, 0), (OFF, 0))
    assert scaling.moves(places, 0.0) == [(Move.START, index) for index in started]


def test_one_that_is_starting_counts_so_that_no_second_is_started_for_the_same_load(scaling):
    assert scaling.moves(fleet((SERVING, 10), (STARTING, 0), (OFF, 0)), 0.0) == []
    assert scaling.moves(fleet((SERVING, 16), (STARTING, 0), (OFF, 0)), 0.0) == [(Move.START, 2)]


def test_there_are_never_more_than_the_most(scaling):
    assert scaling.moves(fleet((SERVING, 10), (SERVING, 10), (SERVING, 10)), 0.0) == []


def test_one_that_cannot_be_started_is_not_tried_again_at_once(scaling):
    places = fleet((SERVING, 9), (OFF, 0))
    scaling.failed(100.0)
    assert scaling.moves(places, 100.0) == scaling.moves(places, 99.0 + RETRY_S) == []
    assert scaling.moves(places, 100.0 + RETRY_S) == [(Move.START, 1)]


def test_one_that_is_spare_for_long_enough_is_drained_and_ended_once_it_is_silent(scaling):
    places = fleet((SERVING, 2), (SERVING, 1))
    assert scaling.moves(places, 0.0) == scaling.moves(places, IDLE_S - 1) == []
    assert scaling.moves(places, IDLE_S) == [(Move.DRAIN, 1)]
    assert scaling.moves(fleet((SERVING, 2), (DRAINING, 1)), IDLE_S + 1) == []
    assert scaling.moves(fleet((SERVING, 2), (DRAINING, 0)), IDLE_S + 2) == [(Move.END, 1)]
    assert scaling.moves(fleet((SERVING, 0), (OFF, 0)), 9 * IDLE_S) == [], "the least stay"
    assert scaling.moves(fleet((SERVING, 0), (OFF, 0)), 99 * IDLE_S) == []


def test_who_speaks_in_between_begins_the_wait_anew(scaling):
    quiet, busy = fleet((SERVING, 2), (SERVING, 1)), fleet((SERVING, 3), (SERVING, 3))
    assert scaling.moves(quiet, 0.0) == scaling.moves(busy, 50.0) == scaling.moves(quiet, 61.0) == []
    assert scaling.moves(quiet, 60.0 + IDLE_S) == []
    assert scaling.moves(quiet, 61.0 + IDLE_S) == [(Move.DRAIN, 1)]


def test_the_one_with_least_to_finish_goes_and_before_it_one_that_does_not_serve(scaling):
    for places, goes in (
        (fleet((SERVING, 1), (SERVING, 2), (SERVING, 3)), 0),
        (fleet((SERVING, 1), (SERVING, 2), (STARTING, 0)), 2),
        (fleet((SERVING, 0), (SERVING, 0), (SERVING, 0)), 2),
    ):
        scaling.moves(places, 0.0)
        assert scaling.moves(places, IDLE_S) == [(Move.DRAIN, goes)]


def test_they_go_one_after_the_other(scaling):
    places = fleet((SERVING, 0), (SERVING, 0), (SERVING, 0))
    scaling.moves(places, 0.0)
    assert scaling.moves(places, IDLE_S) == [(Move.DRAIN, 2)]
    places = fleet((SERVING, 0), (SERVING, 0), (OFF, 0))
    assert scaling.moves(places, IDLE_S + 1) == scaling.moves(places, 2 * IDLE_S) == []
    assert scaling.moves(places, 2 * IDLE_S + 1) == [(Move.DRAIN, 1)]


def test_one_that_drains_is_taken_back_before_another_is_started(scaling):
    places = fleet((OFF, 0), (SERVING, 9), (DRAINING, 1))
    assert scaling.moves(places, 0.0) == [(Move.KEEP, 2)]
    places = fleet((OFF, 0), (SERVING, 10), (DRAINING, 6))
    assert scaling.moves(places, 0.0) == [(Move.KEEP, 2), (Move.START, 0)]


def test_the_same_load_never_adds_one_that_it_has_just_let_go(scaling):
    for running in range(31):
        places = fleet((SERVING, running), (SERVING, 0))
        rule = Scaling(Bounds(1, 3, 0.0))
        if (Move.DRAIN, 1) in rule.moves(places, 0.0):
            assert rule.moves(fleet((SERVING, running), (OFF, 0)), 1.0) == []
