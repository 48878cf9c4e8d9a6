"""Our side of SGLang, with a host that is none: what is sent, what is kept, and what a death does."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest
import torch
from fakehost import DIES, ENDLESS, HIDDEN, REFUSED

from engine.api import EngineError
from engine.chroma.reasoner import Failure, ReasonerPrompt
from engine.processes import alive, spawn
from engine.sglang import keeper
from engine.sglang.messages import Launch
from engine.sglang.reasoner import SglangReasoner
from engine.wire import pack

AUDIO = 3
TABLE = torch.arange(1000.0).repeat(HIDDEN, 1).T.contiguous()
PATIENCE = 60.0


@pytest.fixture
def make(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr(keeper, "FIRST_DELAY", 0.01)
    made = []

    def build() -> SglangReasoner:
        reasoner = SglangReasoner(
            lambda: Launch(tmp_path, {}, ()),
            TABLE,
            audio_token=AUDIO,
            block=5,
            device=torch.device("cpu"),
            context=50,
            host="fakehost",
        )
        made.append(reasoner)
        return reasoner

    yield build
    for reasoner in made:
        reasoner.close()


def prompt(*ids, end=-1, most=None, sound=None, marks=()):
    return ReasonerPrompt(list(ids), sound, end, most=most, marks=marks)


def eventually(check):
    deadline = time.monotonic() + PATIENCE
    while not (found := check()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found


def read(reasoner, name, until=lambda said: said[-1].pair.last):
    said = []
    while not (said and until(said)):
        (came,) = eventually(lambda: reasoner.turn([name]))
        if isinstance(came, Failure):
            return said, came.error
        said.append(came)
    return said, None


def test_tokens_come_one_a_turn_with_their_hidden_states_and_embeddings(make):
    reasoner = make()
    reasoner.start("a", prompt(5, 6, end=4))
    said, _ = read(reasoner, "a")
    assert [thought.token for thought in said] == [1, 2, 3, 4]
    assert [thought.kept for thought in said] == [2, None, None, None]
    for thought in said:
        assert torch.equal(thought.pair.rows, torch.full((2, HIDDEN), float(thought.token)))
    assert reasoner.turn([]) == []
    reasoner.stop("a")
    reasoner.stop("a")


@pytest.mark.parametrize(("most", "expected"), [(7, 7), (None, 48)], ids=["most", "context"])
def test_the_last_token_that_there_is_room_for_ends_the_text(make, most, expected):
    reasoner = make()
    reasoner.start("a", prompt(5, 6, most=most))
    said, _ = read(reasoner, "a", lambda said: len(said) == expected)
    # Of no more than were asked for the text is not over: whoever asked cuts it.
    assert [thought.pair.last for thought in said] == [False] * (expected - 1) + [most is None]


def test_a_prompt_that_sglang_refuses_fails_alone(make):
    reasoner = make()
    reasoner.start("bad", prompt(REFUSED))
    reasoner.start("good", prompt(5, end=2))
    _, error = read(reasoner, "bad")
    assert (error.code, error.message) == ("reasoner_failed", "the prompt is refused")
    assert len(read(reasoner, "good")[0]) == 2


def test_a_prompt_that_is_too_long_is_not_sent(make):
    reasoner = make()
    for ask in (reasoner.start, lambda _, asked: reasoner.weigh(asked, [1], [2])):
        with pytest.raises(EngineError, match="50"):
            ask("a", prompt(*range(50)))
    reasoner.warm(prompt(*range(50)))
    assert not reasoner._held


def test_it_weighs(make):
    assert make().weigh(prompt(5), [1, 2, 3], [4]).result(PATIENCE) == 0.75


def test_sound_is_held_while_it_is_asked_for_and_known_again_by_its_marks(make):
    reasoner = make()
    rows = torch.arange(7.0 * HIDDEN).view(7, HIDDEN)
    marks = tuple(("s", row) for row in range(7))
    heard = prompt(ENDLESS, *[AUDIO] * 7, 9, sound=rows, marks=marks)
    reasoner.start("a", heard)
    eventually(lambda: reasoner.turn(["a"]))
    assert [len(held) for held in reasoner._held.values()] == [2], "a block of 5 and one of 2"
    reasoner.warm(heard)
    reasoner.start("b", heard)
    eventually(lambda: reasoner.turn(["b"]))
    assert len(reasoner._sound._slots) == 2
    reasoner.stop("a")
    reasoner.stop("b")
    eventually(lambda: not reasoner._held)
    assert {entry.users for entry in reasoner._sound._slots.values()} == {0}


def test_a_death_ends_what_runs_and_another_host_answers(make):
    reasoner = make()
    reasoner.start("running", prompt(ENDLESS))
    reasoner.start("killer", prompt(DIES))
    # What had come before is still handed out.
    said, error = read(reasoner, "killer")
    assert [thought.token for thought in said] == [1, 2]
    assert error.code == "reasoner_died"
    said, error = read(reasoner, "running")
    assert ([thought.token for thought in said], error.code) == ([1], "reasoner_died")
    assert reasoner.keeper.recovered(PATIENCE)
    reasoner.start("next", prompt(5, end=3))
    assert len(read(reasoner, "next")[0]) == 3
    assert not reasoner._running


def test_a_death_is_noticed_at_once_and_nothing_begins_until_there_is_another(make, monkeypatch):
    reasoner = make()
    weighed = []
    monkeypatch.setattr(keeper, "FIRST_DELAY", 3600.0)
    reasoner.start("a", prompt(ENDLESS))
    eventually(lambda: reasoner.turn(["a"]))
    killed = time.monotonic()
    os.kill(reasoner.keeper.pid, signal.SIGKILL)
    _, error = read(reasoner, "a")
    assert error.code == "reasoner_died"
    assert time.monotonic() - killed < PATIENCE
    for ask in (lambda: reasoner.start("b", prompt(5)), lambda: reasoner.weigh(prompt(5), [1], [2])):
        with pytest.raises(EngineError, match="try again soon") as refused:
            ask()
        assert refused.value.code == "reasoner_restarting"
    reasoner.warm(prompt(5, AUDIO, sound=torch.zeros(1, HIDDEN)))
    assert not weighed


def test_a_host_that_does_not_come_back_at_once_is_tried_again(make, monkeypatch):
    monkeypatch.setenv("FAKEHOST_FAILS", "2,3")
    reasoner = make()
    reasoner.start("a", prompt(DIES))
    assert read(reasoner, "a")[1].code == "reasoner_died"
    assert reasoner.keeper.recovered(PATIENCE)
    reasoner.start("b", prompt(5, end=1))
    assert len(read(reasoner, "b")[0]) == 1


def test_a_host_that_cannot_start_says_why(make, monkeypatch):
    monkeypatch.setenv("FAKEHOST_FAILS", "1")
    with pytest.raises(EngineError, match="before it was ready") as failed:
        make()
    assert failed.value.code == "reasoner_start_failed"
    monkeypatch.setenv("FAKEHOST_REFUSES", "yes")
    with pytest.raises(EngineError, match="no such option") as failed:
        make()
    assert failed.value.code == "invalid_setting"


def test_closing_ends_the_host_and_what_is_asked(make):
    reasoner = make()
    group = reasoner.keeper.pid
    reasoner.start("a", prompt(ENDLESS))
    eventually(lambda: reasoner.turn(["a"]))
    reasoner.close()
    assert not alive(group)
    assert read(reasoner, "a")[1].code == "engine_closed"
    reasoner.close()


def test_what_a_host_started_ends_when_the_engine_s_process_is_killed(tmp_path, monkeypatch):
    """Nobody is left to end it, and a GPU's memory must not stay taken."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    ours, theirs = socket.socketpair()
    with theirs:
        host = spawn("fakehost", theirs, alone=True)
    ours.sendall(pack(Launch(tmp_path, {}, ())))
    ours.recv(1)
    child = int((tmp_path / "child").read_text())
    assert set(alive(host.pid)) == {host.pid, child}
    # As if this process had died.
    ours.close()
    assert host.wait(PATIENCE) == -signal.SIGKILL
    eventually(lambda: not alive(host.pid))
