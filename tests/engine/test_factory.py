"""Settings choose the engine, and only the one chosen is imported."""

import subprocess
import sys
from dataclasses import replace

import pytest

from engine import EngineError
from engine.echo import EchoEngine
from engine.factory import ECHO_PACE, create
from engine.process import ProcessEngine


def test_a_process_of_its_own_unless_asked_otherwise(settings):
    assert isinstance(create(settings), ProcessEngine)
    assert isinstance(create(replace(settings, in_process=True)), EchoEngine)


def test_any_other_name_is_a_chroma_model(settings):
    from engine.chroma.engine import ChromaEngine

    assert isinstance(create(replace(settings, model="/some/folder", in_process=True)), ChromaEngine)


@pytest.mark.parametrize("pace", ["fast", "0", "-1", "nan", "inf"])
def test_a_pace_that_is_none_is_refused(settings, monkeypatch, pace):
    monkeypatch.setenv(ECHO_PACE, pace)
    with pytest.raises(EngineError, match=ECHO_PACE):
        create(replace(settings, in_process=True))


def test_neither_the_gateways_half_nor_echo_imports_torch():
    imports = "import sys, engine.process, engine.echo, engine.worker, engine.voices.cli, engine.doctor"
    check = "assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", f"{imports}\n{check}"], check=True)
