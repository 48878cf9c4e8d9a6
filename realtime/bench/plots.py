"""Pictures of a load test: how long was waited, and how that went as time passed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from realtime.bench.figures import LABELS, Figures

_CURVES = ("commit", "speech_end", "gap", "barge_in", "late")
_STEPS = (0.0, 50.0, 75.0, 90.0, 95.0, 97.5, 99.0, 99.5, 99.9, 99.99)


def draw(folder: Path, figures: Figures, timeline: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Write `percentiles.svg` and `timeline.svg`; returns them."""
    mpl.rcParams["svg.fonttype"] = "none"
    drawn = {"percentiles.svg": _percentiles(figures), "timeline.svg": _timeline(timeline)}
    for name, figure in drawn.items():
        figure.savefig(folder / name, format="svg")
    return [folder / name for name in drawn]


def _percentiles(figures: Figures) -> Figure:
    """As HdrHistogram's own plots: each step to the right is a tenth of what was left."""
    figure = Figure((7, 4), layout="constrained")
    axes = figure.add_subplot()
    for name in _CURVES:
        if figures.histograms[name].total_count:
            values = [1000 * (figures.percentile(name, each) or 0.0) for each in _STEPS]
            axes.plot([1 / (1 - each / 100) for each in _STEPS], values, label=LABELS[name])
    axes.set_xscale("log")
    axes.set_xticks([1, 2, 10, 100, 1000, 10000], ["0", "50 %", "90 %", "99 %", "99.9 %", "99.99 %"])
    axes.set(xlabel="percentile", ylabel="ms", ylim=(0, None))
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend()
    return figure


def _timeline(timeline: Sequence[Mapping[str, Any]]) -> Figure:
    figure = Figure((7, 6), layout="constrained")
    waits, sessions, cpu = figure.subplots(3, 1, sharex=True)
    seconds = [each["second"] for each in timeline]

    def curve(axes: Any, name: str, label: str, factor: float = 1.0) -> None:
        points = [
            (at, each[name] * factor)
            for at, each in zip(seconds, timeline, strict=True)
            if each.get(name) is not None
        ]
        if points:
            axes.plot(*zip(*points, strict=True), label=label, marker=".", markersize=3)

    curve(waits, "commit_p50_ms", "first audio after commit, p50")
    curve(waits, "commit_p99_ms", "p99")
    waits.set(ylabel="ms", ylim=(0, None))
    curve(sessions, "sessions", "sessions open")
    curve(sessions, "answers", "answers a second")
    sessions.set(ylabel="", ylim=(0, None))
    curve(cpu, "cpu", "server, % of a core", 100)
    curve(cpu, "engine_cpu", "engine, % of a core", 100)
    cpu.set(xlabel="seconds", ylim=(0, None))
    for axes in (waits, sessions, cpu):
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    return figure
