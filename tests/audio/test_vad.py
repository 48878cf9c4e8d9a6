"""The worker: many streams, one thread, every result in order and to the right address."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from hearing import Listener, alone, recording, windows

from realtime.audio.silero import Silero
from realtime.audio.vad import VadWorker

# The stream's resampler keeps a few milliseconds back, so the last window of a recording is not whole.
TAIL = 2


@pytest.fixture
def worker() -> Iterator[VadWorker]:
    worker = VadWorker()
    yield worker
    worker.close()


class Gate:
    """Holds the model where it is, so that sound gathers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.reached = threading.Event()
        hear = Silero.hear

        def held(*arguments):
            self.reached.set()
            assert self.open.wait(20)
            return hear(*arguments)

        monkeypatch.setattr(Silero, "hear", held)


@pytest.fixture
def gate(monkeypatch) -> Gate:
    return Gate(monkeypatch)


@pytest.mark.parametrize("size", [2, 960, 1536, 7000, 10_000_000])
def test_chunks_of_any_size_say_the_same(worker, size):
    pcm, expected = recording("question"), alone(Silero(), windows("question"))[:-TAIL]
    listener = Listener(worker)
    if size == 2:
        pcm, expected = pcm[:16_000], expected[: 16_000 // 1536 - 1]
    for start in range(0, len(pcm), size):
        listener.stream.feed(0, pcm[start : start + size])
    # The reference resampled the whole at once.
    np.testing.assert_allclose(listener.wait(len(expected)), expected, atol=1e-3)


def test_streams_together_equal_each_alone(worker):
    names = ["question", "question2", "long", "two_turns"] * 3
    listeners = [Listener(worker) for _ in names]
    sounds = [recording(name) for name in names]
    for start in range(0, max(map(len, sounds)), 960):
        for listener, sound in zip(listeners, sounds, strict=True):
            listener.stream.feed(0, sound[start : start + 960])
    model = Silero()
    for name, listener in zip(names, listeners, strict=True):
        expected = alone(model, windows(name))[:-TAIL]
        np.testing.assert_allclose(listener.wait(len(expected)), expected, atol=1e-3)


def test_a_reset_begins_anew(worker):
    pcm = recording("question")
    listener = Listener(worker)
    listener.stream.feed(0, pcm)
    first = listener.wait(60)
    listener.stream.reset(1)
    listener.stream.feed(1, pcm)
    np.testing.assert_array_equal(listener.wait(60, epoch=1), first)
    epochs = [epoch for epoch, _ in listener.told]
    assert epochs == sorted(epochs)


def test_a_reset_drops_what_waits(worker, gate):
    pcm = recording("question")
    listener = Listener(worker)
    listener.stream.feed(0, pcm)
    assert gate.reached.wait(20)
    for _ in range(20):
        listener.stream.feed(0, pcm)
    listener.stream.reset(1)
    listener.stream.feed(1, pcm)
    gate.open.set()
    listener.wait(60, epoch=1)
    # One window was with the model already.
    assert len(listener.of(0)) == 1


def test_the_lag_is_known_and_shrinks(worker, gate):
    pcm = bytes(48_000 * 10)
    listener = Listener(worker)
    listener.stream.feed(0, pcm)
    assert gate.reached.wait(20)
    assert worker.behind_s == listener.stream.behind_s == pytest.approx(9.0, abs=0.1)
    gate.open.set()
    listener.wait(310)
    assert worker.behind_s == 0


def test_a_piece_of_sound_that_has_just_come_is_not_late(worker, gate):
    listener, other = Listener(worker), Listener(worker)
    listener.stream.feed(0, recording("question"))
    assert gate.reached.wait(20)
    # While nobody hears: what clients send at once, with a window's rest, and then twice of it.
    other.stream.feed(0, bytes(4800))
    assert (other.stream.has_more, other.stream.is_late) == (True, False)
    other.stream.feed(0, bytes(4800))
    assert other.stream.is_late
    gate.open.set()


def test_a_closed_stream_is_told_nothing_more(worker, gate):
    closed, open_ = Listener(worker), Listener(worker)
    closed.stream.feed(0, recording("question"))
    assert gate.reached.wait(20)
    closed.stream.close()
    closed.stream.feed(0, recording("question"))
    open_.stream.feed(0, recording("question"))
    gate.open.set()
    open_.wait(60)
    assert closed.told == []
    assert closed.stream.behind_s == 0


def test_a_failure_is_told_once_and_ends_that_stream_alone(worker, monkeypatch):
    hear = Silero.hear
    broken, sound = Listener(worker), Listener(worker)

    def breaks(self, batch, states):
        if any(state is broken.stream.state for state in states):
            raise RuntimeError("out of order")
        return hear(self, batch, states)

    monkeypatch.setattr(Silero, "hear", breaks)
    broken.stream.feed(0, recording("question"))
    assert broken.wait_for_failure() == "Voice activity detection failed: out of order"
    sound.stream.feed(0, recording("question"))
    sound.wait(60)
    broken.stream.feed(0, recording("question"))
    assert len(broken.failures) == 1
    assert broken.told == []
    assert broken.stream.behind_s == 0


def test_half_a_sample_fails_its_own_stream(worker):
    broken, sound = Listener(worker), Listener(worker)
    broken.stream.feed(0, b"\0\0\0")
    assert "Voice activity detection failed" in broken.wait_for_failure()
    sound.stream.feed(0, recording("question"))
    sound.wait(60)
