"""Reading checkpoints: every form that the published format may take, and what is wrong told in one line."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from golden import GOLDEN
from huggingface_hub import errors
from safetensors.torch import load_file, save_file

from engine.api import EngineError
from engine.chroma import checkpoint as checkpoints
from engine.chroma import parity
from engine.chroma.checkpoint import Checkpoint, locate
from engine.chroma.config import read_config
from engine.chroma.model import load_model

TABLE = "audio_embedding.embed_audio_tokens.weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the golden checkpoint with one golden case."""
    copy = tmp_path / "checkpoint"
    copy.mkdir()
    for file in GOLDEN.iterdir():
        if file.suffix != ".npz" or file.stem == "short":
            shutil.copy(file, copy)
    return copy


def rewrite(folder: Path, change) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file(
        {name: tensor.contiguous() for name, tensor in change(tensors).items()}, folder / "model.safetensors"
    )


def edit_config(folder: Path, change) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def old_spelling(config: dict) -> None:
    for part in (config["backbone_config"], config["decoder_config"]):
        rope = part.pop("rope_parameters")
        part["rope_theta"] = rope.pop("rope_theta")
        part["rope_scaling"] = rope
    text = config["thinker_config"]["text_config"]
    rope = text.pop("rope_parameters")
    text["rope_theta"] = rope.pop("rope_theta")
    text["rope_scaling"] = rope
    codec = config["codec_config"]
    codec["rope_theta"] = codec.pop("rope_parameters")["rope_theta"]


def shard(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    weight_map = {}
    for part in range(3):
        file = f"model-0000{part + 1}-of-00003.safetensors"
        save_file({name: tensors[name] for name in names[part::3]}, folder / file)
        weight_map |= dict.fromkeys(names[part::3], file)
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": weight_map})
    )
    (folder / "model.safetensors").unlink()


def backbone_name(tensors: dict) -> dict:
    tensors[f"backbone.{TABLE}"] = tensors.pop(f"decoder.{TABLE}")
    return tensors


def both_names(tensors: dict) -> dict:
    return tensors | {f"backbone.{TABLE}": tensors[f"decoder.{TABLE}"].clone()}


def own_head(tensors: dict) -> dict:
    return tensors | {"thinker.lm_head.weight": tensors["thinker.model.embed_tokens.weight"].clone()}


def no_eyes(tensors: dict) -> dict:
    return {name: tensor for name, tensor in tensors.items() if not name.startswith("thinker.visual.")}


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(lambda folder: edit_config(folder, old_spelling), id="transformers-4 rope"),
        pytest.param(shard, id="shards with an index"),
        pytest.param(lambda folder: rewrite(folder, backbone_name), id="embedding under the backbone"),
        pytest.param(lambda folder: rewrite(folder, both_names), id="embedding under both names"),
        pytest.param(lambda folder: rewrite(folder, own_head), id="separate lm_head"),
        pytest.param(lambda folder: rewrite(folder, no_eyes), id="no visual tensors"),
    ],
)
def test_every_form_of_a_checkpoint_answers_the_same(folder, form):
    form(folder)
    assert parity.main([str(folder)]) == 0


def test_a_separate_head_is_used(folder):
    def other_head(tensors):
        return tensors | {"thinker.lm_head.weight": -tensors["thinker.model.embed_tokens.weight"]}

    rewrite(folder, other_head)
    assert parity.main([str(folder)]) == 1


def test_visual_tensors_are_never_read(folder, monkeypatch):
    read = []
    original = Checkpoint._read

    def watched(self, prefix, dtype, device):
        for name, tensor in original(self, prefix, dtype, device):
            read.append(prefix + name)
            yield name, tensor

    monkeypatch.setattr(Checkpoint, "_read", watched)
    load_model(folder, slots=1, top_k=50, device=torch.device("cpu"), dtype=torch.float32)
    assert any(name.startswith("thinker.audio_tower.") for name in read)
    assert not [name for name in read if "visual" in name]
    assert len(read) == len(set(read)), "no tensor is read twice"


def broken(folder: Path) -> str:
    with pytest.raises(EngineError) as caught:
        load_model(folder, slots=1, top_k=50, device=torch.device("cpu"), dtype=torch.float32)
    assert "\n" not in caught.value.message
    return f"{caught.value.code}: {caught.value.message}"


def test_missing_and_misshapen_tensors_are_named(folder):
    rewrite(folder, lambda t: {name: x for name, x in t.items() if name != "backbone.model.norm.weight"})
    assert "backbone.model.norm.weight" in broken(folder)
    shutil.copy(GOLDEN / "model.safetensors", folder)
    rewrite(folder, lambda t: t | {"decoder.projection.weight": torch.zeros(3, 3)})
    assert "decoder.projection.weight" in broken(folder)
    shutil.copy(GOLDEN / "model.safetensors", folder)
    rewrite(
        folder, lambda t: {name: x for name, x in t.items() if name != "codec_model.upsample.conv.weight"}
    )
    assert "codec_model.upsample.conv.weight" in broken(folder)


def test_folders_that_are_no_checkpoint(folder, tmp_path):
    assert "config.json cannot be read" in broken(tmp_path)
    (folder / "model.safetensors").write_bytes(b"torn")
    assert broken(folder).startswith("checkpoint_unreadable")
    (folder / "model.safetensors").unlink()
    assert "neither model.safetensors nor" in broken(folder)
    edit_config(folder, lambda config: config.pop("im_end_token_id"))
    assert "'im_end_token_id'" in broken(folder)
    edit_config(folder, lambda config: config.update(model_type="llama"))
    assert "'llama'" in broken(folder)
    (folder / "config.json").write_text("{")
    assert "is not JSON" in broken(folder)


def test_special_ids_come_from_the_config(folder):
    edit_config(folder, lambda config: config.update(codebook_eos_token_id=7, audio_frame_freq=480))
    config = read_config(folder)
    assert (config.codebook_eos, config.samples_per_frame, config.im_end) == (7, 480, 639)


class FakeResponse:
    """As much of an HTTP response as the hub's errors look at."""

    def __init__(self) -> None:
        self.headers, self.request, self.status_code = {}, None, 403


def hub_says(monkeypatch, error: Exception) -> None:
    def fail(*_args, **_options):
        raise error

    monkeypatch.setattr(checkpoints, "snapshot_download", fail)


@pytest.mark.parametrize(
    ("error", "code", "tells"),
    [
        (errors.GatedRepoError("gated", response=FakeResponse()), "model_gated", "accept its terms"),
        (errors.RepositoryNotFoundError("no", response=FakeResponse()), "model_not_found", "no such model"),
        (errors.RevisionNotFoundError("no", response=FakeResponse()), "revision_not_found", "'v9'"),
        (errors.LocalEntryNotFoundError("offline"), "hub_unreachable", "cannot be reached"),
        (ConnectionError("offline"), "hub_unreachable", "cannot be reached"),
    ],
)
def test_what_the_hub_refuses_is_told_in_one_line(monkeypatch, error, code, tells):
    hub_says(monkeypatch, error)
    with pytest.raises(EngineError) as caught:
        locate("someone/private-chroma", "v9")
    assert caught.value.code == code
    assert tells in caught.value.message
    assert "\n" not in caught.value.message


def test_a_hub_id_is_fetched_with_its_revision_and_without_other_files(monkeypatch, folder):
    asked = {}

    def download(model, **options):
        asked.update(options, model=model)
        return str(folder)

    monkeypatch.setattr(checkpoints, "snapshot_download", download)
    assert locate("FlashLabs/Chroma-4B", "abc123") == folder
    assert (asked["model"], asked["revision"]) == ("FlashLabs/Chroma-4B", "abc123")
    assert "*.safetensors" in asked["allow_patterns"]


def test_a_missing_folder_is_not_looked_up_on_the_hub(monkeypatch):
    hub_says(monkeypatch, AssertionError("asked the hub"))
    for name in ("/no/such/folder", "./missing", "just-a-name"):
        with pytest.raises(EngineError) as caught:
            locate(name)
        assert caught.value.code == "model_not_found"
