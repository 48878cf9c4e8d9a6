"""A settings file for `serve`, and options that are passed through to SGLang, as arguments of its own."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engine import EngineError

_OPTION = "--settings"
_SGLANG = "--sglang"
_GPUS = "--gpus"
"""The one option that takes a list; any other is given once for each of its values."""


def expand(arguments: Sequence[str]) -> list[str]:
    """The arguments of a command, with what its settings file says before them: the last of a kind counts.
    Each `--sglang.NAME VALUE` becomes `--sglang NAME=VALUE`; without a value it is a flag, `NAME=true`.

    Raises:
        EngineError: `settings_unreadable`.
    """
    command, given = list(arguments[:1]), list(_passed(arguments[1:]))
    path = _path(given)
    return command + (list(_said(path)) if path else []) + given


def _path(arguments: Sequence[str]) -> Path | None:
    """The settings file that is named last."""
    path = None
    for index, argument in enumerate(arguments):
        if argument == _OPTION and index + 1 < len(arguments):
            path = Path(arguments[index + 1])
        elif argument.startswith(f"{_OPTION}="):
            path = Path(argument.partition("=")[2])
    return path


def _passed(arguments: Sequence[str]) -> Iterator[str]:
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if not argument.startswith(f"{_SGLANG}."):
            yield argument
            continue
        name, equals, value = argument.removeprefix(f"{_SGLANG}.").partition("=")
        if not equals:
            value = waiting.pop(0) if waiting and not waiting[0].startswith("--") else "true"
        yield from (_SGLANG, f"{name}={value}")


def _said(path: Path) -> Iterator[str]:
    try:
        settings = tomllib.loads(path.expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise EngineError("settings_unreadable", f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EngineError("settings_unreadable", f"{path} is not TOML: {error}") from None
    for name, value in settings.items():
        option = f"--{name.replace('_', '-')}"
        if option == _SGLANG and isinstance(value, dict):
            for its, wanted in value.items():
                yield from (_SGLANG, f"{its}={_text(path, its, wanted, ' ')}")
        elif isinstance(value, bool):
            if value:
                yield option
        elif isinstance(value, list) and option != _GPUS:
            yield from (f"{option}={_text(path, name, each, ',')}" for each in value)
        else:
            yield f"{option}={_text(path, name, value, ',')}"


def _text(path: Path, name: str, value: Any, between: str) -> str:
    """A value as it is written on a command line."""
    if isinstance(value, list):
        return between.join(_text(path, name, each, between) for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise EngineError(
            "settings_unreadable", f"{path}: {name} has to be a string, a number, true or false, or a list"
        )
    return str(value)
