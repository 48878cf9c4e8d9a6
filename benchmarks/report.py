"""What a benchmark prints, and how `benchmarks/RESULTS.md` keeps it."""

from __future__ import annotations

import argparse
import datetime
import platform
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
import transformers

RESULTS = Path(__file__).with_name("RESULTS.md")


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Between the two nearest of some values, by their distance; None where there are none."""
    return float(np.percentile(values, percent)) if values else None


def number(value: float | None, digits: int = 0, *, factor: float = 1.0) -> str:
    """A cell of a table; `factor` 1000 makes milliseconds of seconds. A dash stands for what is not there."""
    return "–" if value is None else f"{value * factor:.{digits}f}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table of numbers."""
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    lines.insert(1, f"|{'---:|' * len(head)}")
    return "\n".join(lines)


def place(device: torch.device) -> str:
    """What runs there: the name of a GPU, or the kind of CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU"


def where(model: str, device: torch.device, dtype: torch.dtype) -> str:
    """Model, device, number type and versions, without a full stop. A GPU is woken by it: where the engine
    has a process of its own, ask once that has ended."""
    cuda = f", CUDA {torch.version.cuda}" if device.type == "cuda" else ""
    return (
        f"{_short(model)}: {place(device)}, {torch.get_num_threads()} threads,"
        f" {str(dtype).removeprefix('torch.')}, torch {torch.__version__}{cuda},"
        f" transformers {transformers.__version__}"
    )


def _short(argument: str) -> str:
    """Where a folder lies on this machine tells a reader nothing."""
    path = Path(argument)
    return path.name if path.is_absolute() else argument


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where the results go."""
    parser.add_argument(
        "--results", type=Path, metavar="PATH", default=RESULTS, help="append to this file (RESULTS.md)"
    )
    parser.add_argument("--no-append", action="store_true", help="print alone")


class Report:
    """One run's section, printed as it comes.

    Args:
        title: of the section.
        name: of the benchmark's module.
        arguments: of its command line.
    """

    def __init__(self, title: str, name: str, arguments: Sequence[str]) -> None:
        command = shlex.join(["python", "-m", f"benchmarks.{name}", *map(_short, arguments)])
        self._title = title
        self._parts = [f"`{command}`, {datetime.date.today()}."]

    def add(self, part: str) -> None:
        """A paragraph or a table."""
        print(f"{part}\n", flush=True)
        self._parts.append(part)

    def keep(self, options: argparse.Namespace, device: torch.device) -> None:
        """Append the section, unless the options of `add_options` say no."""
        if options.no_append:
            return
        section = "\n\n".join([f"## {self._title}, {place(device)}", *self._parts])
        with options.results.open("a", encoding="utf-8") as file:
            file.write(f"\n{section}\n")
