"""Each command runs to its end on the golden checkpoint, prints its table and keeps it. No time is judged."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
import torch

from benchmarks import ahead, both, frames, realtime, reasoner, streams, tick, weights
from engine.sglang.installed import Missing

QUESTION = Path(__file__).parents[1] / "data" / "speech" / "question.wav"


@pytest.fixture
def results(tmp_path) -> Path:
    return tmp_path / "results.md"


def rows(main: Callable[[list[str]], int], results: Path, *arguments: str) -> list[list[str]]:
    """The cells of all tables that a command keeps, heads and rules left out."""
    assert main([*arguments, "--device", "cpu", "--results", str(results)]) == 0
    kept = results.read_text()
    assert kept.startswith("\n## ")
    assert " CPU, " in kept
    lines = [line for line in kept.splitlines() if re.match(r"\| \d", line)]
    return [line.strip("| ").split(" | ") for line in lines]


@torch.inference_mode()
def keep(step):
    """Records as a CUDA graph does, as far as a CPU can: each repetition fills the outputs of the first."""
    outputs = step()

    @torch.inference_mode()
    def again() -> None:
        for kept, new in zip(outputs, step(), strict=True):
            kept.copy_(new)

    return again, outputs


def test_frames(one_case, results, capsys, monkeypatch):
    monkeypatch.setattr(frames, "pick_recorder", lambda device, cuda_graphs: keep if cuda_graphs else None)
    arguments = ("--batches", "1", "2", "--repeats", "1", "--frames", "4")
    found = rows(frames.main, results, str(one_case), *arguments)
    steps, answers = found[:2], found[2:]
    assert [row[0] for row in found] == ["1", "2", "1", "2"]
    # The eager path is beside each step, and every step of an answer was a recorded one.
    assert all(len(row) == len(frames.STEP_HEAD) and float(row[-1]) > 0 for row in steps)
    assert all(len(row) == len(frames.ANSWER_HEAD) and row[4] == "100.0" for row in answers)
    assert "make the same frames." in results.read_text()
    assert "Backbone 0.1 M parameters" in results.read_text()
    assert " | ".join(found[0]) in capsys.readouterr().out


def test_frames_without_graphs_and_answers(golden, results):
    (row,) = rows(
        *(frames.main, results, str(golden), "--batches", "1", "--repeats", "1", "--frames", "2"),
        *("--steps-only", "--no-cuda-graphs"),
    )
    assert len(row) == len(frames.STEP_HEAD)
    assert row[-1] == "–"


def test_streams(golden, results):
    (row,) = rows(
        *(streams.main, results, str(golden), "--sessions", "1", "--seconds", "0.5", "--in-process"),
        *("--answer", "1", "--question", "0.4"),
    )
    assert len(row) == len(streams.HEAD)
    # The session asks at 0 s and 1 s, and is spoken to from 1 s to 1.5 s.
    assert (row[0], row[2]) == ("1", "2")
    assert re.search(r"Most sessions without an underrun over 0.5 s: [01]\b", results.read_text())


def test_both(golden, results, monkeypatch):
    # For good: not in the process of all tests.
    monkeypatch.setattr(both, "settle", lambda: None)
    found = rows(
        *(both.main, results, str(golden), "--batches", "1", "--repeats", "1", "--frames", "2"),
        *("--sessions", "1", "--seconds", "0.5", "--answer", "1", "--question", "0.4", "--context", "256"),
        *("--kernels", "1", "--host"),
    )
    assert {len(frames.STEP_HEAD), len(streams.HEAD)} <= {len(row) for row in found}
    text = results.read_text()
    assert "aten::mm" in text
    assert "engine._run" in text


def test_realtime(golden, results, tmp_path):
    recording = tmp_path / "question.wav"
    sound, rate = soundfile.read(QUESTION)
    soundfile.write(recording, sound[: int(1.2 * rate)], rate)
    (row,) = rows(
        *(realtime.main, results, str(golden), "--sessions", "1", "--seconds", "1", "--in-process"),
        *("--listens", "0.3", "--recording", str(recording)),
    )
    assert len(row) == len(realtime.HEAD)
    assert row[0] == "1"
    assert int(row[1]) >= 1


def test_ahead(golden, results):
    (row,) = rows(ahead.main, results, str(golden), "--seconds", "1", "--repeats", "1")
    assert row[0] == "1"
    assert len(row) == 4


def test_a_server_that_cannot_start_is_told(golden, results, capsys):
    assert realtime.main([str(golden), "--context", "1", "--results", str(results)]) == 1
    assert "the server ended before it was ready: chroma-realtime: --context" in capsys.readouterr().err
    assert not results.exists()


def test_weights(one_case, results):
    found = rows(weights.main, results, str(one_case))
    assert [row[0] for row in found] == [f"{codebook}" for codebook in range(8)]
    assert all(50 < float(row[1]) <= 100 for row in found), "int8 is another model, and nearly the same"


def test_tick(one_case, tmp_path):
    path = tmp_path / "tick.md"
    assert tick.main([str(one_case), "--slots", "4", "--turns", "8", "--results", str(path)]) == 0
    for part in ("turn", "words", "frames begun", "frames handed out", "calls"):
        assert part in path.read_text()


def test_reasoner(one_case, results, monkeypatch, capsys):
    options = ["--reasoners", "transformers", "--answers", "1,2", "--tokens", "3", "--seconds", "0.5"]
    found = rows(reasoner.main, results, str(one_case), *options)
    assert [row[:2] for row in found] == [["1", "transformers"], ["2", "transformers"]]
    assert all(float(cell) > 0 for row in found for cell in row[2:])
    # Where SGLang is not, that is said before anything is loaded.
    monkeypatch.setattr(reasoner, "why_not", lambda: Missing("SGLang is not installed", "pip install it"))
    assert reasoner.main([str(one_case), "--no-append"]) == 1
    assert "pip install it" in capsys.readouterr().err
