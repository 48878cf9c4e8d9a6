"""Which engine answers a conversation."""

from engine.placement import Placement

ALL = [True, True, True]
IDLE = [0, 0, 0]


def test_conversations_are_spread_and_stay_where_they_are():
    placement = Placement(3)
    assert [placement.choose(name, ALL, IDLE) for name in "abc"] == [0, 1, 2]
    assert [placement.choose(name, ALL, [9, 0, 0]) for name in "abc"] == [0, 1, 2]


def test_a_new_one_goes_where_fewest_answers_are_made_then_where_fewest_conversations_are():
    placement = Placement(3)
    assert placement.choose("a", ALL, [2, 1, 3]) == 1
    assert placement.choose("b", ALL, [1, 1, 3]) == 0
    assert placement.choose(None, ALL, IDLE) == 2
    assert placement.choose(None, ALL, IDLE) == 2, "what belongs to no conversation is not remembered"


def test_who_was_on_an_engine_that_is_down_moves_and_stays_there():
    placement = Placement(3)
    for name in "abc":
        placement.choose(name, ALL, IDLE)
    assert placement.choose("a", [False, True, True], [0, 1, 0]) == 2
    assert placement.choose("a", ALL, IDLE) == 2
    assert placement.choose("d", ALL, IDLE) == 0, "the one that is back has fewest"


def test_where_none_serves_a_conversation_stays():
    placement = Placement(2)
    placement.choose("a", [True, True], [0, 0])
    assert placement.choose("a", [False, False], [0, 0]) == 0
    assert placement.choose("b", [False, False], [5, 0]) == 1


def test_no_more_are_remembered_than_there_is_room_for(monkeypatch):
    monkeypatch.setattr("engine.placement._REMEMBERED", 4)
    placement = Placement(2)
    for number in range(50):
        placement.choose(str(number), [True, True], [0, 0])
    assert len(placement._placed) == sum(placement._held.values()) == 4
