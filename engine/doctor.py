"""`chroma-realtime doctor`: what is installed here, what is missing, and the command that mends it."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from packaging.requirements import Requirement

from engine.api import EngineError
from engine.factory import ECHO
from engine.sglang.installed import VERSION, why_not
from engine.voices.store import VoiceStore

PACKAGE = "chroma-realtime"
PUBLISHED = "FlashLabs/Chroma-4B"
_INSTALL = f"{sys.executable} -m pip install"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `missing` keeps the server from starting, `note` does not."""

    what: str
    state: Literal["ok", "note", "missing"]
    detail: str
    mend: str = ""
    """The command that mends it, or what to do where no command does."""


def add_parser(subparsers: Any) -> None:
    """Add `doctor` to a command line; sets `func`, Namespace to exit code.

    Args:
        subparsers: what `ArgumentParser.add_subparsers` returned.
    """
    parser = subparsers.add_parser("doctor", help="say what is installed, what is missing and what mends it")
    parser.add_argument("--model", help=f"also check this model: a folder, {ECHO}, or a hub id ({PUBLISHED})")
    parser.add_argument("--revision", help="branch, tag or commit of a hub id")
    parser.add_argument("--voice", help="also check that there is this voice")
    parser.add_argument("--voices-dir", type=Path, metavar="DIR", help="folder of your voices")
    parser.set_defaults(func=run)


def run(args: argparse.Namespace) -> int:
    """Print every finding as it is made; 0 when the server can start, else 1."""
    missing = 0
    for finding in examine(args.model, args.revision, args.voice, VoiceStore(args.voices_dir)):
        mark = {"ok": "ok     ", "note": "note   ", "missing": "MISSING"}[finding.state]
        print(f"{mark}  {finding.what:<10}  {finding.detail}")
        if finding.mend:
            print(f"{'':<21}mend: {finding.mend}")
        missing += finding.state == "missing"
    if missing:
        print(f"\nThe server cannot start yet: {missing} missing.")
        return 1
    print(f"\nThe server can start: {PACKAGE} serve --model {args.model or ECHO}")
    return 0


def examine(
    model: str | None, revision: str | None, voice: str | None, store: VoiceStore
) -> Iterator[Finding]:
    """All findings, in the order in which a person would mend them. Weights are never downloaded."""
    yield _python()
    yield from _packages()
    yield _gpu()
    yield _sglang()
    yield _model(model, revision)
    yield _voices(store, voice, needed=model not in (None, ECHO))


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "ok", f"{version} at {sys.executable}")


def _packages() -> Iterator[Finding]:
    """Every package this one requires, by its own metadata."""
    try:
        required = importlib.metadata.requires(PACKAGE) or []
        yield Finding("package", "ok", f"{PACKAGE} {importlib.metadata.version(PACKAGE)}")
    except importlib.metadata.PackageNotFoundError:
        root = Path(__file__).resolve().parents[1]
        yield Finding("package", "missing", f"{PACKAGE} is not installed", f"{_INSTALL} -e {root}")
        return
    for requirement in sorted(map(Requirement, required), key=lambda each: each.name.lower()):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield _package(requirement)


def _package(requirement: Requirement) -> Finding:
    wanted = f"{requirement.name}{requirement.specifier}"
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return Finding("package", "missing", f"{wanted} is not installed", f"{_INSTALL} '{wanted}'")
    if not requirement.specifier.contains(version, prereleases=True):
        detail = f"{requirement.name} {version} is installed, {wanted} is needed"
        return Finding("package", "missing", detail, f"{_INSTALL} '{wanted}'")
    return Finding("package", "ok", f"{requirement.name} {version}")


def _gpu() -> Finding:
    try:
        import torch
    except ImportError as error:
        return Finding("gpu", "note", f"cannot be asked for: torch does not load ({error})")
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        detail = f"{torch.cuda.get_device_name()}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
        return Finding("gpu", "ok", detail)
    if shutil.which("nvidia-smi"):
        return Finding(
            "gpu",
            "note",
            f"the NVIDIA driver is here, but torch {torch.__version__} cannot use it; the CPU will be used",
            f"{_INSTALL} --force-reinstall --index-url https://pypi.org/simple "
            f"torch=={torch.__version__.split('+')[0]}",
        )
    return Finding("gpu", "note", "none; the CPU will be used, which is too slow for the published model")


def _sglang() -> Finding:
    missing = why_not()
    if missing is None:
        return Finding("sglang", "ok", f"{VERSION}, which runs the language model where there is a GPU")
    detail = f"{missing.what}; transformers runs the language model, fewer answers at once"
    return Finding("sglang", "note", detail, missing.mend)


def _model(model: str | None, revision: str | None) -> Finding:
    if model is None:
        return Finding("model", "note", "not checked", f"{PACKAGE} doctor --model {PUBLISHED}")
    if model == ECHO:
        return Finding("model", "ok", "echo, which says again what it hears and needs no weights")
    folder = Path(model).expanduser()
    try:
        if folder.is_dir():
            return Finding("model", "ok", _checkpoint(folder))
        if folder.is_absolute() or model.startswith((".", "~")) or model.count("/") != 1:
            raise EngineError(
                "model_not_found", f"{model}: no such folder, and no hub id (OWNER/NAME) either"
            )
        return Finding("model", "ok", _on_hub(model, revision))
    except EngineError as error:
        mends = {
            "model_gated": f"accept the terms on https://huggingface.co/{model}, then: hf auth login",
            "hub_unreachable": f"on a machine that has a network: hf download {model} --local-dir DIR",
            "model_incomplete": f"hf download {PUBLISHED} --local-dir {folder}",
            "revision_not_found": f"leave --revision out, or see https://huggingface.co/{model}/tree/main",
        }
        mend = mends.get(error.code, f"{PACKAGE} serve --model {PUBLISHED}")
        return Finding("model", "missing", error.message, mend)


def _checkpoint(folder: Path) -> str:
    """What a checkpoint's folder holds; no tensor is read.

    Raises:
        EngineError: `model_incomplete`.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        index = folder / "model.safetensors.index.json"
        files = {"model.safetensors"}
        if index.is_file():
            files = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        kind = config.get("model_type")
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise EngineError(
            "model_incomplete", f"{folder} holds no readable checkpoint: {type(error).__name__}: {error}"
        ) from None
    if absent := sorted(name for name in files if not (folder / name).is_file()):
        raise EngineError("model_incomplete", f"{folder} lacks {', '.join(absent)}")
    size = sum((folder / name).stat().st_size for name in files)
    return f"{folder}: {kind}, {size / 2**30:.2f} GiB of weights in {len(files)} file(s)"


def _on_hub(model: str, revision: str | None) -> str:
    """Where a hub model was found; its config is the only file that is fetched.

    Raises:
        EngineError: `model_gated`, `revision_not_found`, `model_not_found` or `hub_unreachable`.
    """
    import httpx
    from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        if not isinstance(try_to_load_from_cache(model, "config.json", revision=revision), str):
            # Asked first because it gives up soon; a download tries again for half a minute.
            HfApi().model_info(model, revision=revision, timeout=10)
        path = hf_hub_download(model, "config.json", revision=revision)
    except GatedRepoError:
        raise EngineError("model_gated", f"{model} is gated, and this account has no access yet") from None
    except RevisionNotFoundError:
        raise EngineError("revision_not_found", f"{model} has no revision {revision!r}") from None
    except LocalEntryNotFoundError:
        raise EngineError(
            "hub_unreachable", f"{model} is not in the local cache, and the hub cannot be reached"
        ) from None
    except (RepositoryNotFoundError, EntryNotFoundError, HFValidationError):
        raise EngineError("model_not_found", f"{model} is no model on the hub that can be read") from None
    except (OSError, httpx.HTTPError) as error:
        raise EngineError("hub_unreachable", f"{model}: the hub cannot be reached: {error}") from None
    return f"{model} can be read (its config is at {path}); weights come with the first start"


def _voices(store: VoiceStore, voice: str | None, *, needed: bool) -> Finding:
    add = f'{PACKAGE} voice add {voice or "NAME"} sample.wav --text "what the sample says"'
    try:
        voices = store.ordered(voice)
    except EngineError as error:
        return Finding("voices", "missing", error.message, add)
    if not voices:
        return Finding("voices", "missing" if needed else "note", f"none in {store.folder}", add)
    return Finding("voices", "ok", ", ".join(each.name for each in voices) + f" (yours: {store.folder})")
