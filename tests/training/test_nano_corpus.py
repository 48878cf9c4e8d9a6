"""The corpus is made once for each world."""

import json

import numpy as np
import pytest

from training.corpus import build


@pytest.fixture
def spoken(monkeypatch) -> list[int]:
    """How many lines were spoken each time; no synthesiser is asked."""
    times: list[int] = []

    def speak_all(lines, rate):
        times.append(len(lines))
        return [np.zeros(rate // 100, np.float32) for _ in lines], [[1] for _ in lines]

    monkeypatch.setattr(build, "speak_all", speak_all)
    return times


def test_questions_are_made_anew_when_the_world_has_changed_and_only_then(tmp_path, spoken, monkeypatch):
    def make():
        build.questions(tmp_path, "questions", 5, seed=1, held_out=False)
        return json.loads((tmp_path / "questions.json").read_text())["conversations"]

    first = make()
    assert make() == first
    assert spoken == [sum(len(each["exchanges"]) for each in first)]
    converse = build.converse
    monkeypatch.setattr(build, "converse", lambda rng, turns, **options: converse(rng, 2, **options))
    changed = make()
    assert changed != first
    assert [len(each["exchanges"]) for each in changed] == [2] * 5
    assert len(spoken) == 2
