"""The documents tell the truth: their blocks run, what they link to and name is there."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from blocks import DOCUMENTS, MARKS, ROOT, Block, blocks

sys.path.insert(0, str(ROOT / "tests" / "server"))
from serving import SPEECH, command

EACH = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
PUBLISHED = "FlashLabs/Chroma-4B"
"""Echo stands in for it: the tests have no GPU and no hub."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder that looks like the repository's root, with recordings of a reader's own in it."""
    folder = tmp_path_factory.mktemp("reader")
    for name in (".venv", "examples", "tests", "engine", "realtime", "benchmarks"):
        (folder / name).symlink_to(ROOT / name)
    for name in ("ann.wav", "question.wav"):
        shutil.copy(SPEECH / "long.wav", folder / name)
    return folder


@pytest.fixture(scope="module")
def environment(home):
    """Without the keys and voices of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHROMA_REALTIME_")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**kept, "PATH": path, "CHROMA_REALTIME_VOICES": str(home / "voices"), "XDG_CACHE_HOME": str(home)}


@pytest.fixture(scope="module")
def server(environment):
    """HOST:PORT of a server that is there for the blocks."""
    with command("--model", "echo", environment=environment) as url:
        yield url.removeprefix("ws://")


def as_tested(text: str, address: str) -> str:
    """A block for the test's server: its address, a free port, and echo in place of the published model."""
    text = re.sub(r"(localhost|127\.0\.0\.1):8000", address, text).replace(PUBLISHED, "echo")
    text = re.sub(r"(chroma-realtime talk\b(?!.*--url))", rf"\1 --url ws://{address}/v1", text)
    return text.replace("--port 8000", "--port 0")


def run(block: Block, text: str, home: Path, environment: dict[str, str]) -> None:
    words = [sys.executable, "-c"] if block.language == "python" else ["bash", "-euo", "pipefail", "-c"]
    done = subprocess.run(
        [*words, text], cwd=home, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{block.place}\n{text}\n{done.stdout}\n{done.stderr}"


def serve(block: Block, text: str, home: Path, environment: dict[str, str]) -> None:
    """Run it until the server in it is ready, then stop it with all that belongs to it."""
    if "--port" not in text:
        text = re.sub(r"(chroma-realtime serve)", r"\1 --port 0", text)
    process = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=home,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    patience = threading.Timer(120, os.killpg, (process.pid, signal.SIGTERM))
    patience.start()
    said = []
    try:
        for line in process.stderr:
            said.append(line)
            if line.startswith("Ready: "):
                return
        raise AssertionError(f"{block.place}\n{text}\n{''.join(said)}")
    finally:
        patience.cancel()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=30)


@EACH
def test_blocks_say_how_they_were_run(document):
    unmarked = [block.place for block in blocks(document) if block.mark not in MARKS]
    assert not unmarked


@pytest.mark.timeout(300)
@EACH
def test_blocks_run(document, server, home, environment):
    found = [block for block in blocks(document) if block.mark and block.mark.startswith("tested")]
    missing = [tool for tool in ("jq", "curl") if not shutil.which(tool)]
    for block in found:
        if any(re.search(rf"\b{tool}\b", block.text) for tool in missing):
            continue
        text = as_tested(block.text, server)
        (serve if block.mark == "tested: serves" else run)(
            block, text, home, {**environment, "OPENAI_BASE_URL": f"http://{server}/v1"}
        )
    if missing:
        pytest.skip(f"blocks with {' and '.join(missing)} left out: not installed")


@EACH
def test_links_lead_somewhere(document):
    text = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.M | re.S)
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if not re.match(r"https?:|#", link)]
    broken = [link for link in links if not (document.parent / link.partition("#")[0]).exists()]
    assert not broken


@EACH
def test_make_targets_exist(document):
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:^|`)make ([a-z]+)", document.read_text(), re.M):
        assert re.search(rf"^{target}:", makefile, re.M), target


@pytest.fixture(scope="module")
def options():
    """Every option of every command, and of the benchmark with a page of its own, as --help tells it."""
    commands = [["benchmarks.simulate"]]
    for words in (
        "serve",
        "talk",
        "bench",
        "replay",
        "voice add",
        "voice list",
        "voice remove",
        "key",
        "doctor",
        "",
    ):
        commands.append(["realtime.server.cli", *words.split()])
    told = ""
    for module_and_words in commands:
        done = subprocess.run(
            [sys.executable, "-m", *module_and_words, "--help"], capture_output=True, text=True, check=True
        )
        told += done.stdout
    return set(re.findall(r"--[a-z][a-z0-9-]*", told))


OTHERS = {"--prefix", "--batches", "--sessions", "--early-answers", "--no-deps", "--extra-index-url"}
"""Options of npm, pip and the benchmarks that the text names."""


@EACH
def test_options_that_are_named_exist(document, options):
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.M | re.S))
    lines = [line for line in document.read_text().splitlines() if "chroma-realtime " in line]
    own = [span for span in spans if span.startswith("--")] + lines
    named = {option for text in own for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text)}
    assert named - options - OTHERS == set()


def sources() -> str:
    """All code, its string literals joined as Python joins them."""
    files = [path for folder in ("engine", "realtime") for path in sorted((ROOT / folder).rglob("*.py"))]
    text = "\n".join(path.read_text() for path in files)
    return re.sub(r"[\"']\n\s*f?[\"']", "", text)


def test_messages_of_the_troubleshooting_are_the_servers_own():
    code = sources()
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    headings = re.findall(r"^### `(.+)`$", text, re.M)
    assert len(headings) > 15
    for heading in headings:
        parts = [part.strip() for part in heading.split("…") if part.strip()]
        absent = [part for part in parts if part not in code]
        assert not absent, heading


def test_environment_variables_that_are_named_are_read():
    code = sources() + (ROOT / "docker" / "serve.sh").read_text()
    for document in DOCUMENTS:
        for name in re.findall(r"\bCHROMA_[A-Z_]+\b", document.read_text()):
            assert name in code, (document.name, name)
