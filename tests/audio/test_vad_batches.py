"""Who shares a batch shares nothing else: what one hears, says, breaks or leaves is no other's business."""

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import numpy as np
import pytest
from hearing import Listener, recording

from realtime.audio.silero import Silero
from realtime.audio.vad import VadWorker
from realtime.session import turn_detection
from realtime.session.turn_detection import Happening, Thresholds, TurnState

NAMES = ("question", "question2", "long", "two_turns")
PIECE = 960
"""Bytes of 20 ms."""
SERVER_VAD = Thresholds(probability=0.5, padding=7200, silence=12_000, speech=2)
"""In samples, as server_vad has it by itself."""


@pytest.fixture
def worker() -> Iterator[VadWorker]:
    worker = VadWorker()
    yield worker
    worker.close()


@pytest.fixture
def sizes(monkeypatch) -> list[int]:
    """Of the batches that were heard."""
    hear, sizes = Silero.hear, []

    def counted(self, windows, states):
        sizes.append(len(states))
        return hear(self, windows, states)

    monkeypatch.setattr(Silero, "hear", counted)
    return sizes


def speak(listeners: list[Listener], names: list[str]) -> None:
    """All at the same time, in pieces of 20 ms, each followed by silence."""
    sounds = [recording(name) + bytes(48_000) for name in names]
    for start in range(0, max(map(len, sounds)), PIECE):
        for listener, sound in zip(listeners, sounds, strict=True):
            if piece := sound[start : start + PIECE]:
                listener.stream.feed(0, piece)


def whole(name: str) -> int:
    """Windows that are heard of a recording and its second of silence: the resampler keeps some back."""
    return (len(recording(name)) + 48_000) // 1536 - 2


def turns(probabilities: np.ndarray) -> list[Happening]:
    state, happenings = TurnState(position=0), []
    for probability in probabilities:
        state, happening = turn_detection.next_window(state, probability, SERVER_VAD)
        if happening:
            happenings.append(happening)
    return happenings


def test_together_the_probabilities_and_turns_are_those_of_each_alone(sizes):
    alone = {}
    for name in NAMES:
        worker = VadWorker()
        listener = Listener(worker)
        speak([listener], [name])
        alone[name] = listener.wait(whole(name))
        worker.close()
    assert max(sizes) == 1
    sizes.clear()
    names = [name for name in NAMES for _ in range(6)]
    worker = VadWorker()
    listeners = [Listener(worker) for _ in names]
    speak(listeners, names)
    for name, listener in zip(names, listeners, strict=True):
        heard = listener.wait(whole(name))
        np.testing.assert_allclose(heard, alone[name], atol=1e-5)
        assert turns(heard) == turns(alone[name]) != []
    worker.close()
    assert max(sizes) > 8


def test_one_that_cannot_be_heard_takes_no_other_with_it(worker, monkeypatch):
    hear = Silero.hear
    listeners = [Listener(worker) for _ in range(12)]
    broken, shared = listeners[5], []

    def breaks(self, windows, states):
        if any(state is broken.stream.state for state in states):
            shared.append(len(states) > 1)
            if any(shared):
                raise RuntimeError("out of order")
        return hear(self, windows, states)

    monkeypatch.setattr(Silero, "hear", breaks)
    speak(listeners, ["question"] * 12)
    assert broken.wait_for_failure() == "Voice activity detection failed: out of order"
    others = [listener for listener in listeners if listener is not broken]
    heard = [listener.wait(whole("question")) for listener in others]
    for each in heard:
        np.testing.assert_allclose(each, heard[0], atol=1e-5)
    assert all(listener.failures == [] for listener in others)


def test_one_that_leaves_takes_no_other_with_it(worker):
    listeners = [Listener(worker) for _ in range(12)]
    sound = recording("question") + bytes(48_000)
    for start in range(0, len(sound), PIECE):
        for number, listener in enumerate(listeners):
            listener.stream.feed(0, sound[start : start + PIECE])
            if start == 20 * PIECE and number % 3 == 0:
                listener.stream.close()
    for listener in listeners[1::3] + listeners[2::3]:
        listener.wait(whole("question"))


def test_nobody_waits_for_one_that_sends_no_more(worker):
    silent, talking = [Listener(worker) for _ in range(12)], [Listener(worker) for _ in range(12)]
    speak(silent + talking, ["question"] * 24)
    for listener in silent + talking:
        listener.wait(whole("question"))
    before = len(talking[0].told)
    speak(talking, ["question"] * 12)
    for listener in talking:
        listener.wait(before + whole("question"))


def test_results_come_in_the_streams_own_thread_and_one_owner_that_breaks_stops_no_other():
    calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
    worker = VadWorker(calls.put)
    threads = set()

    def breaks(epoch: int, probabilities: list[float]) -> None:
        threads.add(threading.get_ident())
        raise RuntimeError("whoever listens has a fault")

    broken = worker.stream(breaks, lambda message: None)
    left, first, second = (Listener(worker) for _ in range(3))
    for start in range(0, len(sound := recording("question") + bytes(48_000)), PIECE):
        for stream in (broken, left.stream, first.stream, second.stream):
            stream.feed(0, sound[start : start + PIECE])
    # Whoever leaves is told nothing of what is on its way.
    left.stream.close()
    while len(first.told) < whole("question") or len(second.told) < whole("question"):
        calls.get(timeout=20)()
    worker.close()
    assert left.told == []
    assert threads == {threading.get_ident()}
