"""Sound that two processes see: written once, read by its place, and never written over while in use."""

import os
import subprocess
import sys

import pytest
import torch

from engine.sglang.sound import SoundReader, SoundStore, name_of, places

ROWS, HIDDEN = 4, 3


def block(value: float, count: int = ROWS, dtype=torch.float32) -> torch.Tensor:
    return torch.full((count, HIDDEN), value, dtype=dtype) + torch.arange(count)[:, None]


@pytest.fixture
def store():
    made = SoundStore(ROWS, HIDDEN, torch.float32, spare=2)
    yield made
    made.close()


def reader(store: SoundStore, monkeypatch) -> SoundReader:
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    return SoundReader.of_environment()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_blocks_are_read_as_they_were_written(monkeypatch, dtype):
    store = SoundStore(ROWS, HIDDEN, dtype)
    blocks = [store.hold(n, 10 * n, block(n, 1 + n, dtype), 1 + n) for n in range(3)]
    read = reader(store, monkeypatch)
    for n, each in enumerate(blocks):
        assert (each.start, each.rows) == (10 * n, 1 + n)
        assert torch.equal(read.read(each.slot, each.rows), block(n, 1 + n, dtype))
    store.close()


def test_another_process_reads_them(store):
    held = store.hold("a", 0, block(7), ROWS)
    program = (
        "from engine.sglang.sound import SoundReader\n"
        f"print(SoundReader.of_environment().read({held.slot}, {ROWS})[:, 0].tolist())"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | store.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == "[7.0, 8.0, 9.0, 10.0]"


def test_a_block_is_named_by_what_is_in_it(store):
    one, again = store.hold("a", 0, block(1), ROWS), store.hold("a", 9, None, ROWS)
    other, equal = store.hold("b", 0, block(2), ROWS), store.hold("c", 0, block(1), ROWS)
    assert (again.slot, again.start) == (one.slot, 9)
    assert one.name == again.name == equal.name != other.name
    assert min(one.name, other.name, name_of(b"")) > 2**31, "no token of text has such an id"
    assert max(one.name, other.name) < 2**63


def test_what_a_request_holds_is_kept_and_the_rest_only_for_a_while(store):
    held = store.hold("held", 0, block(0), ROWS)
    for n in range(5):
        store.hold(n, 0, block(n), ROWS)
        store.release([n])
    assert [store.known(key) for key in ("held", *range(5))] == [True, False, False, False, True, True]
    slots = {store.hold(f"new {n}", 0, block(n), ROWS).slot for n in range(6)}
    assert held.slot not in slots
    assert len(slots) == 6
    store.release(["held"])
    assert store.known("held")


def test_a_block_that_is_not_there_is_an_error(store, monkeypatch):
    store.hold("a", 0, block(1), ROWS)
    with pytest.raises(EOFError):
        reader(store, monkeypatch).read(5, ROWS)


def test_each_sound_is_cut_into_blocks_from_its_beginning():
    audio, text = 9, 1
    ids = [text, *[audio] * 10, text, text, *[audio] * 4, text, audio]
    assert places(ids, audio, 4) == [(1, 4), (5, 4), (9, 2), (13, 4), (18, 1)]
    assert places([text, text], audio, 4) == []
