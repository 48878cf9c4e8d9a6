"""The reference's golden answers, replayed through the code that serves."""

import shutil

import numpy as np
import pytest
from golden import CASES, GOLDEN

from engine.chroma import parity
from engine.chroma.readback import Readback


def test_golden_cases_match(capsys):
    assert parity.main([str(GOLDEN)]) == 0
    out = capsys.readouterr().out
    for name in CASES:
        assert f"{name}: mel ok, voice ok, text ok, frames ok, hidden ok, sound ok" in out


@pytest.mark.parametrize(
    ("array", "part"),
    [("codes", "frames"), ("text_token_ids", "text"), ("text_hidden", "hidden"), ("audio_24k", "sound")],
)
def test_a_mismatch_is_told_and_exits_1(tmp_path, capsys, array, part):
    for file in GOLDEN.iterdir():
        if file.suffix != ".npz":
            shutil.copy(file, tmp_path)
    case = dict(np.load(GOLDEN / "short.npz"))
    wrong = case[array].copy()
    wrong.flat[7] += 1
    np.savez(tmp_path / "short.npz", **{**case, array: wrong})
    assert parity.main([str(tmp_path)]) == 1
    line = capsys.readouterr().out.splitlines()[0]
    assert f"{part} ok" not in line
    assert "voice ok" in line


def test_a_folder_without_cases_is_no_success(tmp_path, capsys):
    assert parity.main([str(tmp_path)]) == 1
    assert "holds no .npz case" in capsys.readouterr().err


@pytest.mark.parametrize("together", [("short", "long"), CASES, ("long", "long", "short", "text_ends_early")])
def test_a_batch_equals_its_rows_alone(chroma, cases, together):
    """Different prompts, voices and lengths side by side: every row is the reference's answer."""
    jobs = [parity.job(chroma, f"{name}-{index}", cases[name]) for index, name in enumerate(together)]
    for name, answer in zip(together, parity.play(chroma, jobs), strict=True):
        assert set(parity.mismatches(chroma, cases[name], answer).values()) == {None}


def test_a_device_that_takes_its_time_changes_nothing(chroma, cases, monkeypatch):
    """What is read back is there when it is asked for the third time, as on a GPU."""

    class Late(Readback):
        def __init__(self, *tensors):
            super().__init__(*(each.clone() for each in tensors))
            self.asked = 0

        @property
        def here(self):
            self.asked += 1
            return self.asked > 2

    monkeypatch.setattr("engine.chroma.thinker.Readback", Late)
    monkeypatch.setattr("engine.chroma.speaker.Readback", Late)
    names = ("short", "long", "text_ends_early")
    jobs = [parity.job(chroma, name, cases[name]) for name in names]
    for name, answer in zip(names, parity.play(chroma, jobs), strict=True):
        assert set(parity.mismatches(chroma, cases[name], answer).values()) == {None}


def test_one_prompt_is_read_at_a_time(chroma, cases):
    """Prompts are long beside tokens: answers that run keep their pace."""
    reasoner, names = chroma.reasoner, ("short", "long", "text_ends_early")
    for name in names:
        reasoner.start(name, parity.job(chroma, name, cases[name]).prompt)
    spoke = [{thought.request_id for thought in reasoner.turn(names)} for _ in names]
    for name in names:
        reasoner.stop(name)
    assert spoke == [{"short"}, {"short", "long"}, set(names)]
