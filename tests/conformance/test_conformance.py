"""The conformance run as a test: every stock client holds every conversation."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import run  # noqa: E402


@pytest.mark.timeout(280)
def test_stock_clients_hold_their_conversations():
    if lacking := run.missing():
        pytest.skip(f"{', '.join(lacking)} missing; 'make conformance' installs them")
    results = run.run()
    wrong = {
        f"{client}, {name}": why
        for client, result in results.items()
        for name, why in result["results"].items()
        if why
    }
    assert not wrong
    assert (HERE / "MATRIX.md").read_text() == run.matrix(results), "written anew by 'make conformance'"
