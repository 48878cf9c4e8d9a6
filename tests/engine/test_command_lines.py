"""`chroma-realtime voice …` and `chroma-realtime doctor`, as a person sees them."""

import argparse
import importlib.metadata
import json

import httpx
import huggingface_hub
import pytest
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

from engine import doctor
from engine.voices import VoiceStore, cli


@pytest.fixture
def command(tmp_path, capsys):
    """Run a command line with the voices of this test; returns exit code, stdout and stderr."""
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers(required=True)
    cli.add_parser(subparsers)
    doctor.add_parser(subparsers)

    def run(*words: str) -> tuple[int, str, str]:
        args = parser.parse_args([*words, "--voices-dir", str(tmp_path / "voices")])
        code = args.func(args)
        return code, *capsys.readouterr()

    return run


def test_add_list_remove(command, recording):
    code, out, _ = command("voice", "add", "ann", str(recording), "--text", "words", "--consent", "Ann, 2026")
    assert code == 0
    assert "added voice ann: 5.0 s" in out
    assert "no consent" not in out

    _, out, _ = command("voice", "list")
    *shipped, last, _ = out.splitlines()
    assert last.split() == ["ann", "5.0", "s", "consent:", "Ann,", "2026"]
    assert [line.split()[0] for line in shipped] == ["river", "ember", "wren"]
    _, out, _ = command("voice", "list", "--model", "echo")
    assert [line.split()[0] for line in out.splitlines()[:2]] == ["ann", "espeak"]

    assert command("voice", "remove", "ann")[:2] == (0, "removed voice ann\n")
    assert "ann" not in command("voice", "list")[1]


def test_no_consent_is_kept_as_such_and_reminded_of(command, recording, tmp_path):
    _, out, _ = command("voice", "add", "ann", str(recording), "--text", "words")
    assert "no consent is on record" in out
    assert VoiceStore(tmp_path / "voices").get("ann").consent == "not stated"


def test_a_refusal_is_one_line_and_exit_code_1(command, tmp_path):
    code, out, err = command("voice", "add", "ann", str(tmp_path / "absent.wav"), "--text", "words")
    assert (code, out) == (1, "")
    assert err.startswith("error: ")
    assert err.endswith("[voice_not_readable]\n")
    assert command("voice", "remove", "nobody")[0] == 1


def test_text_is_required(command, recording):
    with pytest.raises(SystemExit):
        command("voice", "add", "ann", str(recording))


def test_doctor_is_content_with_echo(command):
    code, out, _ = command("doctor", "--model", "echo")
    assert code == 0
    assert "MISSING" not in out
    assert "torch" in out
    assert "The server can start: chroma-realtime serve --model echo" in out


def test_doctor_looks_at_nano_where_no_model_is_named(command):
    code, out, _ = command("doctor")
    assert code == 0
    assert "the toy in the box (the real one: --model FlashLabs/Chroma-4B)" in out
    assert "river, ember, wren" in out
    assert "The server can start: chroma-realtime serve --model nano" in out


def checkpoint(folder, *files: str):
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "chroma"}')
    for name in files:
        (folder / name).write_bytes(b"weights")
    return folder


def test_doctor_reads_a_checkpoints_folder(command, tmp_path):
    code, out, _ = command("doctor", "--model", str(checkpoint(tmp_path / "model", "model.safetensors")))
    assert code == 0
    assert "chroma, 0 MiB of weights in 1 file(s)" in out


def test_doctor_sees_that_a_shard_is_missing(command, tmp_path):
    folder = checkpoint(tmp_path / "model", "a.safetensors")
    weights = {"x": "a.safetensors", "y": "b.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}))
    code, out, _ = command("doctor", "--model", str(folder))
    assert code == 1
    assert "lacks b.safetensors" in out
    assert "mend: hf download" in out


@pytest.mark.parametrize("config", [None, "not json", "[]"])
def test_doctor_tells_a_folder_that_is_no_checkpoint(command, tmp_path, config):
    folder = tmp_path / "model"
    folder.mkdir()
    if config is not None:
        (folder / "config.json").write_text(config)
    code, out, _ = command("doctor", "--model", str(folder))
    assert code == 1
    assert "holds no readable checkpoint" in out


def refused(error: type[Exception]) -> Exception:
    return error("no", response=httpx.Response(401, request=httpx.Request("GET", "https://hub")))


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        (refused(GatedRepoError), "hf auth login"),
        (refused(RepositoryNotFoundError), "chroma-realtime serve --model"),
        (httpx.ConnectError("no network"), "hf download"),
    ],
)
def test_doctor_tells_why_the_hub_does_not_give_a_model(command, monkeypatch, error, mend):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", fail)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: None)
    code, out, _ = command("doctor", "--model", "someone/something")
    assert code == 1
    assert mend in out


def test_doctor_tells_a_missing_package_and_an_old_one(command, monkeypatch):
    versions = {"soxr": None, "starlette": "0.1"}
    real = importlib.metadata.version

    def version(name):
        if versions.get(name, "") is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions.get(name) or real(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    code, out, _ = command("doctor")
    assert code == 1
    assert "soxr>=0.5 is not installed" in out
    assert "starlette 0.1 is installed" in out
    assert "-m pip install 'soxr>=0.5'" in out
    assert "2 missing" in out


def test_doctor_tells_a_missing_voice(command):
    code, out, _ = command("doctor", "--voice", "ann")
    assert code == 1
    assert "chroma-realtime voice add ann" in out
