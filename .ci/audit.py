"""Known vulnerabilities of what is installed, by pip-audit.

Fails where there are some. Where the database cannot be asked, it says that nothing was audited.
"""

import json
import subprocess
import sys


def verdict(output: str, errors: str) -> tuple[int, list[str]]:
    """Exit code and lines to print, of what pip-audit printed."""
    try:
        found = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        last = (errors.strip().splitlines() or ["it said nothing"])[-1]
        return 0, [f"audit: skipped, nothing was audited: {last}"]
    lines = [
        f"audit: {one['name']} {one['version']}: {flaw['id']}, mended in {flaw['fix_versions'] or 'nothing'}"
        for one in found
        for flaw in one.get("vulns", ())
    ]
    if lines:
        return 1, lines
    skipped = [one for one in found if "skip_reason" in one]
    if len(skipped) == len(found):
        return 0, ["audit: skipped, nothing was audited: the database knew or told of no package"]
    left_out = ", ".join(one["name"] for one in skipped) or "none"
    audited = len(found) - len(skipped)
    return 0, [f"audit: no known vulnerability in {audited} packages; not audited: {left_out}"]


def main() -> int:
    options = ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    command = [sys.executable, "-m", "pip_audit", *options]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        code, lines = verdict(asked.stdout, asked.stderr)
    except subprocess.TimeoutExpired:
        code, lines = verdict("", "it took longer than five minutes")
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
