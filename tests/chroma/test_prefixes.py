"""Which slot a prompt gets, and how much of it that slot holds already."""

import numpy as np
import pytest

from engine.chroma.prefixes import Prefixes, Taken, keys_of

AUDIO = 7


def keys(*ids: int) -> np.ndarray:
    return np.array(ids)


def test_a_turn_finds_the_slot_of_the_turn_before():
    prefixes = Prefixes(3)
    first = prefixes.take(keys(1, 2, 3)).slot
    other = prefixes.take(keys(5, 6)).slot
    prefixes.let_go(other, keys(5, 6))
    prefixes.let_go(first, keys(1, 2, 3, 4))
    assert prefixes.take(keys(1, 2, 3, 4, 8, 9)) == Taken(first, 4)


def test_the_last_token_is_always_read():
    prefixes = Prefixes(1)
    slot = prefixes.take(keys(1, 2, 3)).slot
    prefixes.let_go(slot, keys(1, 2, 3))
    assert prefixes.take(keys(1, 2, 3)) == Taken(slot, 2)


def test_what_differs_is_read_again():
    prefixes = Prefixes(1)
    slot = prefixes.take(keys(1, 2, 3, 4)).slot
    prefixes.let_go(slot, keys(1, 2, 3, 4))
    assert prefixes.take(keys(1, 2, 9, 4, 5)) == Taken(slot, 2)


def test_a_stranger_gets_the_slot_that_was_let_go_longest_ago():
    prefixes = Prefixes(3)
    slots = [prefixes.take(keys(n, n)).slot for n in (1, 2, 3)]
    for index in (1, 0, 2):
        prefixes.let_go(slots[index], keys(10 + index, 1))
    assert prefixes.take(keys(50, 51)) == Taken(slots[1], 0)


def test_conversations_that_begin_alike_do_not_take_each_others_slots():
    """All three have the same ten tokens of instructions, and more of their own than that."""
    prefixes = Prefixes(4)
    told = [*range(10)]
    turns = {name: [*told, *[100 * name] * 20] for name in (1, 2, 3)}
    slots = {}
    for name, turn in turns.items():
        taken = prefixes.take(keys(*turn))
        assert taken.kept == (0 if name == 1 else 10)
        assert taken.source == (None if name == 1 else slots[1])
        slots[name] = taken.slot
        prefixes.let_go(taken.slot, keys(*turn))
    assert len(set(slots.values())) == 3
    for name in (2, 1, 3, 1):
        turns[name] += [7, 8]
        taken = prefixes.take(keys(*turns[name]))
        assert taken == Taken(slots[name], len(turns[name]) - 2)
        prefixes.let_go(taken.slot, keys(*turns[name]))


def test_what_a_busy_slot_held_when_it_was_taken_can_be_copied():
    prefixes = Prefixes(2)
    slot = prefixes.take(keys(1, 2, 3, 4)).slot
    prefixes.let_go(slot, keys(1, 2, 3, 4))
    busy = prefixes.take(keys(1, 2, 3, 4, 5))
    assert prefixes.take(keys(1, 2, 3, 9)) == Taken(1 - slot, 3, busy.slot)


def test_a_busy_slot_is_nobody_elses():
    prefixes = Prefixes(1)
    prefixes.take(keys(1, 2))
    assert prefixes.free == 0
    with pytest.raises(LookupError):
        prefixes.take(keys(1, 2))


def test_sound_is_known_by_its_mark():
    ids = [1, AUDIO, AUDIO, 2]
    one = keys_of(ids, AUDIO, [("a", 0), ("a", 1)])
    assert one[0] == 1
    assert one[3] == 2
    assert (one[1:3] < 0).all()
    assert one[1] != one[2]
    assert (one == keys_of(ids, AUDIO, [("a", 0), ("a", 1)])).all()
    assert (one != keys_of(ids, AUDIO, [("b", 0), ("a", 1)])).tolist() == [False, True, False, False]
    with pytest.raises(ValueError, match="2 audio tokens"):
        keys_of(ids, AUDIO, [("a", 0)])
