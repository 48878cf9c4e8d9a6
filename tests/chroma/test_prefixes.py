"""Which slot a prompt gets, and how much of it that slot holds already."""

import numpy as np
import pytest

from engine.chroma.prefixes import Prefixes, keys_of

AUDIO = 7


def keys(*ids: int) -> np.ndarray:
    return np.array(ids)


def test_a_turn_finds_the_slot_of_the_turn_before():
    prefixes = Prefixes(3)
    first, kept = prefixes.take(keys(1, 2, 3))
    assert kept == 0
    other, _ = prefixes.take(keys(5, 6))
    prefixes.let_go(other, keys(5, 6))
    prefixes.let_go(first, keys(1, 2, 3, 4))
    assert prefixes.take(keys(1, 2, 3, 4, 8, 9)) == (first, 4)


def test_the_last_token_is_always_read():
    prefixes = Prefixes(1)
    slot, _ = prefixes.take(keys(1, 2, 3))
    prefixes.let_go(slot, keys(1, 2, 3))
    assert prefixes.take(keys(1, 2, 3)) == (slot, 2)


def test_what_differs_is_read_again():
    prefixes = Prefixes(1)
    slot, _ = prefixes.take(keys(1, 2, 3, 4))
    prefixes.let_go(slot, keys(1, 2, 3, 4))
    assert prefixes.take(keys(1, 2, 9, 4, 5))[1] == 2


def test_a_stranger_gets_the_slot_that_was_let_go_longest_ago():
    prefixes = Prefixes(3)
    slots = [prefixes.take(keys(n, n))[0] for n in (1, 2, 3)]
    for index in (1, 0, 2):
        prefixes.let_go(slots[index], keys(10 + index, 1))
    assert prefixes.take(keys(50, 51)) == (slots[1], 0)


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
