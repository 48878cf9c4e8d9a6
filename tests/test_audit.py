"""What CI makes of pip-audit's answer."""

import importlib.util
import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / ".ci" / "audit.py"
OWN = {"name": "chroma-realtime", "skip_reason": "not on PyPI"}


def found(*vulns):
    flaws = [{"id": name, "fix_versions": ["2.0"]} for name in vulns]
    safe = {"name": "safe", "version": "1", "vulns": []}
    return json.dumps({"dependencies": [safe, OWN, {"name": "risky", "version": "1.0", "vulns": flaws}]})


@pytest.mark.parametrize(
    ("output", "errors", "code", "said"),
    [
        (found(), "", 0, "no known vulnerability in 2 packages"),
        (
            found("PYSEC-1", "CVE-2"),
            "Found 2 known vulnerabilities",
            1,
            "risky 1.0: PYSEC-1, mended in ['2.0']",
        ),
        ("", "ERROR: cannot connect to pypi.org", 0, "nothing was audited: ERROR: cannot connect"),
        ("", "", 0, "nothing was audited"),
        (json.dumps({"dependencies": [OWN]}), "", 0, "nothing was audited"),
    ],
)
def test_it_fails_for_vulnerabilities_and_for_nothing_else(output, errors, code, said):
    spec = importlib.util.spec_from_file_location("audit", SCRIPT)
    audit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(audit)
    got, lines = audit.verdict(output, errors)
    assert got == code
    assert said in lines[0]
