"""A settings file is the command line written down, and SGLang's options pass through either."""

import pytest

from engine import EngineError
from realtime.server import cli
from realtime.server.settings_file import expand

FILE = """
model = "some/folder"
slots = 32
no-cuda-graphs = true
open = false
gpus = [0, 1]
origin = ["https://a.example", "https://b.example"]
max_seconds = 12.5

[sglang]
mem-fraction-static = 0.5
disable_radix_cache = true
enable-metrics = false
cuda-graph-bs-decode = [1, 2, 4]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "chroma.toml"
    path.write_text(FILE)
    return path


def parsed(monkeypatch, *arguments):
    """The options that `serve` is run with."""
    from realtime.server import serve

    seen = []
    monkeypatch.setattr(serve, "run", lambda options: seen.append(options) or 0)
    assert cli.main(["serve", *arguments]) == 0
    return seen[0]


@pytest.mark.parametrize("form", ["{0} {1}", "{0}={1}"])
def test_what_a_file_says_counts_unless_the_command_line_says_otherwise(monkeypatch, file, form):
    named = form.format("--settings", file).split(" ")
    options = parsed(monkeypatch, "--slots", "4", *named, "--sglang.mem-fraction-static", "0.25")
    assert (options.model, options.slots, options.max_seconds) == ("some/folder", 4, 12.5)
    assert (options.no_cuda_graphs, options.open, options.gpus) == (True, False, (0, 1))
    assert options.origin == ["https://a.example", "https://b.example"]
    assert options.sglang == [
        ("mem-fraction-static", "0.5"),
        ("disable_radix_cache", "true"),
        ("enable-metrics", "false"),
        ("cuda-graph-bs-decode", "1 2 4"),
        ("mem-fraction-static", "0.25"),
    ]


def test_options_of_sglang_take_values_in_every_form():
    given = ["serve", "--sglang.a", "1", "--sglang.b=x=y", "--sglang.flag", "--port", "1", "--sglang.last"]
    assert expand(given) == [
        *("serve", "--sglang", "a=1", "--sglang", "b=x=y", "--sglang", "flag=true", "--port", "1"),
        *("--sglang", "last=true"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("slots = [", "is not TOML"),
        ("slots = 2026-01-01", "slots has to be"),
        ("[other]\na = 1", "other has"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(file, text, said):
    file.write_text(text)
    with pytest.raises(EngineError, match=said) as refused:
        expand(["serve", "--settings", str(file)])
    assert str(file) in refused.value.message


def test_a_setting_that_there_is_not_is_an_error(monkeypatch, file, capsys):
    file.write_text("slotz = 4")
    with pytest.raises(SystemExit) as ended:
        parsed(monkeypatch, "--settings", str(file))
    assert ended.value.code == 2
    assert "--slotz=4" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        cli.main(["serve", "--settings", str(file.parent / "none.toml")])
    assert ended.value.code == 1
    assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--tp", "2", "--reasoner", "transformers"], "--tp needs"),
        (["--sglang.a", "1", "--reasoner", "transformers"], "--sglang needs"),
        (["--gpus", "0", "--in-process"], "--gpus"),
        (["--gpus", "0,1,2", "--tp", "2"], "cannot share"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(arguments, said, capsys):
    assert cli.main(["serve", *arguments]) == 1
    assert said in capsys.readouterr().err


def test_gpus_are_numbers(capsys):
    with pytest.raises(SystemExit):
        cli.main(["serve", "--gpus", "all"])
    assert "is not a list of GPUs" in capsys.readouterr().err
