"""The fuzzers for a moment; `make fuzz` runs them for long."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ENVIRONMENT = os.environ | {"PYTHONPATH": str(HERE.parents[1])}


def run(script: str, *arguments: str, folder: Path) -> str:
    command = [sys.executable, str(HERE / script), *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=110, cwd=folder, env=ENVIRONMENT, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout + done.stderr


def test_every_decoder(tmp_path):
    pytest.importorskip("atheris")
    assert "Done 1000 runs" in run("fuzz_decoders.py", "all", "-runs=1000", "-seed=1", folder=tmp_path)


def test_a_decoder_that_raises_is_found(tmp_path):
    """The fuzzer is no check that cannot fail: a target that raises for one seed ends it."""
    pytest.importorskip("atheris")
    broken = (
        "import sys; sys.argv = ['fuzz', 'secret', '-runs=50'];"
        f"sys.path.insert(0, {str(HERE)!r}); import fuzz_decoders as fuzz\n"
        "fuzz.TARGETS['secret'] = (lambda data: 1 / (len(data) < 3), [b'more than two'])\n"
        "fuzz.main('secret', ['-runs=50'])"
    )
    command = [sys.executable, "-c", broken]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=ENVIRONMENT, check=False)
    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stdout + done.stderr


def test_the_session_s_long_mode_counts_its_events(tmp_path):
    said = run("fuzz_session.py", "1", "20", folder=tmp_path)
    assert int(said.split()[0]) > 20
