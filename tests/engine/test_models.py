"""The names of models, and that the model in the box is whole and goes into a wheel."""

import json
import tomllib
from pathlib import Path

import pytest

from engine.models import ECHO, NANO, NANO_FOLDER, PUBLISHED, folder_of

ROOT = Path(__file__).parents[2]


def test_nano_is_a_folder_of_the_package():
    assert folder_of(NANO) == NANO_FOLDER
    assert {path.name for path in NANO_FOLDER.iterdir()} >= {
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
        "voices",
    }
    assert json.loads((NANO_FOLDER / "config.json").read_text())["model_type"] == "chroma"
    assert (NANO_FOLDER / "model.safetensors").stat().st_size < 40 * 2**20


def test_a_wheel_holds_all_of_it():
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    shipped = {path for pattern in package["engine"] for path in (ROOT / "engine").glob(pattern)}
    assert {path for path in NANO_FOLDER.rglob("*") if path.is_file()} <= shipped


@pytest.mark.parametrize("name", [ECHO, PUBLISHED, "no/such", "/no/such"])
def test_other_names_are_no_folders(name):
    assert folder_of(name) is None


def test_names_come_before_folders(tmp_path, monkeypatch):
    for name in (NANO, ECHO, "mine"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    assert (folder_of(NANO), folder_of(ECHO)) == (NANO_FOLDER, None)
    assert folder_of("mine") == Path("mine")
    assert folder_of(f"./{NANO}") == Path(NANO)
