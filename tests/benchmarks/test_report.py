"""What is printed is what is kept, and it names no folder of this machine."""

import argparse

import pytest
import torch

from benchmarks.report import RESULTS, Report, add_options, number, percentile, table, where

CPU = torch.device("cpu")


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(arguments)


def test_percentiles():
    assert percentile([], 50) is None
    assert percentile([3.0], 99) == 3.0
    values = [float(each) for each in range(101)]
    assert [percentile(values[::-1], each) for each in (0, 50, 95, 99)] == [0, 50, 95, 99]
    assert percentile([1.0, 2.0], 50) == pytest.approx(1.5)


def test_a_table_is_markdown_and_a_dash_is_what_is_not_there():
    cells = (number(1.25, 1), number(0.0124, factor=1000), number(None))
    assert table(("a", "b", "c"), [cells]).splitlines() == [
        "| a | b | c |",
        "|---:|---:|---:|",
        "| 1.2 | 12 | – |",
    ]


def test_a_section_is_appended(tmp_path, capsys):
    path = tmp_path / "results.md"
    path.write_text("# Before\n")
    report = Report("Speed", "frames", ["/home/me/golden", "--frames", "4"])
    report.add("A paragraph.")
    report.add(table(("a",), [("1",)]))
    report.keep(options("--results", str(path)), CPU)
    kept = path.read_text()
    assert kept.startswith("# Before\n\n## Speed, ")
    assert " CPU\n\n`python -m benchmarks.frames golden --frames 4`, 2" in kept
    assert kept.endswith("\n\nA paragraph.\n\n| a |\n|---:|\n| 1 |\n")
    assert capsys.readouterr().out == "A paragraph.\n\n| a |\n|---:|\n| 1 |\n\n"


def test_nothing_is_appended_where_it_is_not_wanted(tmp_path):
    path = tmp_path / "results.md"
    Report("Speed", "frames", []).keep(options("--results", str(path), "--no-append"), CPU)
    assert not path.exists()
    assert options().results == RESULTS


def test_where_names_the_model_and_the_versions():
    line = where("/home/me/golden", CPU, torch.float32)
    assert line.startswith("golden: ")
    assert f"float32, torch {torch.__version__}, transformers " in line
    assert "CUDA" not in line
    assert where("tests/data/golden", CPU, torch.bfloat16).startswith("tests/data/golden: ")
