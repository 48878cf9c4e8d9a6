"""The folder that SGLang opens: made once, whole, of links, and never in the checkpoint."""

import json
import os
import stat

import pytest
import torch
from golden import GOLDEN
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from engine.api import EngineError
from engine.chroma.checkpoint import INDEX, SINGLE, Checkpoint
from engine.chroma.config import read_config
from engine.chroma.model import _open
from engine.sglang.derived import derive
from engine.sglang.names import ARCHITECTURE, AUDIO_TOKEN, HEAD, LAYERS


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def derived(folder=GOLDEN):
    return derive(read_config(folder), Checkpoint(folder), torch.float32)


def config_of(folder):
    return json.loads((folder / "config.json").read_text())


def shards(folder, *, head: bool):
    """The golden checkpoint in files of its parts."""
    folder.mkdir()
    tensors = load_file(GOLDEN / SINGLE)
    if head:
        tensors[HEAD] = tensors[f"{LAYERS}embed_tokens.weight"].clone()
    parts = {
        "a.safetensors": {name: each for name, each in tensors.items() if name.startswith(LAYERS)},
        "b.safetensors": {name: each for name, each in tensors.items() if name == HEAD},
        "c.safetensors": {
            name: each for name, each in tensors.items() if not name.startswith((LAYERS, HEAD))
        },
    }
    index = {}
    for file, part in parts.items():
        if part:
            save_file(part, folder / file)
            index |= dict.fromkeys(part, file)
    (folder / INDEX).write_text(json.dumps({"weight_map": index}))
    (folder / "config.json").write_bytes((GOLDEN / "config.json").read_bytes())
    return folder


def test_it_holds_a_flat_config_and_a_link(cache):
    before = sorted(os.listdir(GOLDEN))
    folder = derived()
    assert folder.is_relative_to(cache)
    assert (folder / SINGLE).resolve() == (GOLDEN / SINGLE).resolve()
    config, stack = config_of(folder), read_config(GOLDEN).reasoner
    assert (config["architectures"], config["model_type"]) == ([ARCHITECTURE], "qwen2")
    assert (config["hidden_size"], config["num_hidden_layers"]) == (stack.hidden, stack.layers)
    assert config["rope_parameters"] == {"rope_type": "default", "rope_theta": stack.rope.theta}
    assert config[AUDIO_TOKEN] == read_config(GOLDEN).audio_token
    assert config["tie_word_embeddings"], "the checkpoint has no head of its own, whatever its config says"
    assert sorted(os.listdir(GOLDEN)) == before


def test_it_is_made_once():
    folder = derived()
    made = (folder / "config.json").stat().st_ino
    assert derived() == folder
    assert (folder / "config.json").stat().st_ino == made
    assert os.listdir(folder.parent) == [folder.name], "no drafts are left"


def test_of_shards_those_with_the_reasoner_are_linked(tmp_path):
    folder = derived(shards(tmp_path / "tied", head=False))
    assert (folder / SINGLE).resolve().name == "a.safetensors"
    folder = derived(shards(tmp_path / "own", head=True))
    assert not config_of(folder)["tie_word_embeddings"]
    index = json.loads((folder / INDEX).read_text())["weight_map"]
    assert {(folder / name).resolve().name for name in index.values()} == {"a.safetensors", "b.safetensors"}
    assert all(name.startswith(LAYERS) or name == HEAD for name in index)
    assert not list(folder.glob("*c*.safetensors"))


def test_another_checkpoint_at_the_same_place_is_another_folder(tmp_path):
    first = derived(shards(tmp_path / "x", head=False))
    os.utime(tmp_path / "x" / "a.safetensors", ns=(1, 1))
    assert derived(tmp_path / "x") != first


def test_random_weights_are_those_of_the_reasoner_in_this_process():
    config, checkpoint, _ = _open("random:chroma-mid")
    folder = derive(config, checkpoint, torch.bfloat16)
    expected = checkpoint.read(f"{LAYERS}layers.0.", torch.bfloat16, torch.device("cpu"))
    with safe_open(folder / SINGLE, framework="pt") as file:
        for name, tensor in expected.items():
            assert torch.equal(file.get_tensor(f"{LAYERS}layers.0.{name}"), tensor)
        assert HEAD in file.keys()  # noqa: SIM118
    assert derive(config, checkpoint, torch.float32) != folder


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_cache_that_cannot_be_written_is_named(cache):
    cache.mkdir()
    cache.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(EngineError, match="XDG_CACHE_HOME"):
        derived()


def test_a_cache_that_is_a_file_is_named(cache):
    cache.write_text("")
    with pytest.raises(EngineError, match="XDG_CACHE_HOME") as refused:
        derived()
    assert refused.value.code == "cache_unwritable"
