"""docs/limits.md and the code say the same."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from engine import EngineSettings
from engine.voices import sample
from realtime.protocol.tools import LARGEST_SCHEMA, MOST_TOOLS
from realtime.server.cli import main
from realtime.server.limit_settings import MAY_BE_0, Limits, option

ROOT = Path(__file__).parents[2]
TABLE = [
    [cell.strip() for cell in line.strip().strip("|").split("|")]
    for line in (ROOT / "docs" / "limits.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| what")
]
"""What, setting, default, what one too many is told, test."""
FIXED = {
    "functions of a session": str(MOST_TOOLS),
    "parameters of a function, bytes as JSON": str(LARGEST_SCHEMA),
    "a voice's sample": f"{sample.SHORTEST:g} to {sample.LONGEST:g} s",
    "a voice's file": f"{sample.LARGEST} bytes",
    "answers spoken at once": str(EngineSettings(model="").slots),
    "seconds in which the engine has to give a sign of life": f"{EngineSettings(model='').watchdog_s:g}",
    "seconds of an answer": f"{EngineSettings(model='').max_seconds:g}",
}
ENGINES = ("`--slots`", "`--max-seconds`", "`--watchdog-s`")
SOURCES = "".join(path.read_text() for room in ("engine", "realtime") for path in (ROOT / room).rglob("*.py"))


def test_every_setting_is_there_as_the_code_has_it():
    shown = {row[1]: row for row in TABLE}
    for one in fields(Limits):
        what, setting, default, told, _ = shown.pop(f"`{option(one.name)}`")
        assert (what, told) == (one.metadata["what"], one.metadata["error"])
        assert default == f"{one.default:.15g}", setting
    fixed = {row[0]: row[2] for row in TABLE if row[1] in ("fixed", *ENGINES)}
    assert fixed == FIXED


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_its_error_and_its_test_exist(row):
    _, _, _, told, test = row
    for code in re.findall(r"`(\w+)`", told):
        assert f'"{code}"' in SOURCES or f'"{code}:' in SOURCES, code
    path, name = test.strip("`").split("::")
    assert f"def {name}(" in (ROOT / "tests" / path).read_text(encoding="utf-8")


@pytest.mark.parametrize("one", fields(Limits), ids=lambda one: one.name)
def test_a_limit_that_cannot_be_is_told_in_one_line(one, capsys):
    assert main(["serve", option(one.name), "-1"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert option(one.name) in line
    if isinstance(one.default, float):
        for endless in ("inf", "nan"):
            assert main(["serve", option(one.name), endless]) == 1
            assert option(one.name) in capsys.readouterr().err
    if one.name not in MAY_BE_0:
        assert main(["serve", option(one.name), "0"]) == 1
