"""Stock clients hold five conversations each with a real server: `python run.py`, which writes MATRIX.md.

Prints what went wrong and ends with 1 if anything did. What the clients need is put there by
`make conformance`.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "server"))
from serving import command  # noqa: E402

NAMES = ("connect", "spoken turn", "interruption", "tool", "text turn")
OLD, AGENTS = ROOT / ".clients" / "openai-2.6.1", ROOT / ".clients" / "openai-agents"
NODE = HERE / "node"


def clients(plain: str, tls: str) -> dict[str, tuple[list[str], dict[str, str]]]:
    """The command of each client, and its environment."""
    python = [sys.executable]
    return {
        "openai (Python)": ([*python, str(HERE / "openai_python.py"), plain], {}),
        "openai (Python), oldest": (
            [*python, str(HERE / "openai_python.py"), plain],
            {"PYTHONPATH": str(OLD)},
        ),
        "openai (Node)": (
            ["node", str(NODE / "openai.mjs"), tls],
            {"NODE_TLS_REJECT_UNAUTHORIZED": "0", "NODE_NO_WARNINGS": "1"},
        ),
        "@openai/agents-realtime": (["node", str(NODE / "agents.mjs"), plain], {}),
        "openai-agents (Python)": (
            [*python, str(HERE / "agents_python.py"), plain],
            {"PYTHONPATH": str(AGENTS), "OPENAI_AGENTS_DISABLE_TRACING": "1"},
        ),
    }


def missing() -> list[str]:
    """What has to be there and is not."""
    wanted = {
        OLD: "the old openai package",
        AGENTS: "openai-agents",
        NODE / "node_modules": "the Node clients",
    }
    return [name for path, name in wanted.items() if not path.exists()]


def certificate(folder: Path) -> list[str]:
    """Options of a server with a certificate that it signed itself."""
    key, file = folder / "key.pem", folder / "cert.pem"
    request = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    subprocess.run([*request, "-keyout", str(key), "-out", str(file)], check=True, capture_output=True)
    return ["--ssl-certfile", str(file), "--ssl-keyfile", str(key)]


def hold(program: list[str], environment: dict[str, str]) -> dict[str, object]:
    """One client's conversations."""
    done = subprocess.run(
        program, env=os.environ | environment, capture_output=True, text=True, timeout=240, check=False
    )
    try:
        result: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        why = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return {"version": "?", "results": dict.fromkeys(NAMES, f"the program ended: {why}")}
    return result


def run() -> dict[str, dict[str, object]]:
    """All clients at once against two servers, one of them with TLS."""
    pace = {"CHROMA_REALTIME_ECHO_PACE": "2"}
    with (
        tempfile.TemporaryDirectory() as folder,
        command("--model", "echo", environment=pace) as plain,
        command("--model", "echo", *certificate(Path(folder)), environment=pace) as tls,
        concurrent.futures.ThreadPoolExecutor() as pool,
    ):
        urls = (f"{url.replace('ws', 'http', 1)}/v1" for url in (plain, tls))
        futures = {name: pool.submit(hold, *client) for name, client in clients(*urls).items()}
        return {name: future.result() for name, future in futures.items()}


def matrix(results: dict[str, dict[str, object]]) -> str:
    """The results as a table, with a note for whatever failed."""
    lines = [
        "# Stock clients against this server",
        "",
        "Each holds five conversations over a real socket with `chroma-realtime serve --model echo`, written",
        "as a user of that client would write them. `make conformance` writes this file anew.",
        "",
        f"| client | version | {' | '.join(NAMES)} |",
        f"|---|---|{'---|' * len(NAMES)}",
    ]
    notes: list[str] = []
    for name, result in results.items():
        cells = []
        for conversation in NAMES:
            wrong = result["results"][conversation]  # type: ignore[index]
            if wrong:
                notes.append(f"{len(notes) + 1}. {name}, {conversation}: {wrong.splitlines()[0]}")
            cells.append(f"failed ({len(notes)})" if wrong else "passed")
        lines.append(f"| {name} | {result['version']} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *notes]).rstrip() + "\n"


def main() -> int:
    if lacking := missing():
        print(f"conformance: {', '.join(lacking)} missing; run: make conformance", file=sys.stderr)
        return 1
    results = run()
    text = matrix(results)
    (HERE / "MATRIX.md").write_text(text)
    print(text)
    return any(wrong for result in results.values() for wrong in result["results"].values())  # type: ignore


if __name__ == "__main__":
    sys.exit(main())
