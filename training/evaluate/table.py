"""Figures as a page of Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(share: float) -> str:
    """0.123 to `12.3 %`."""
    return f"{100 * share:.1f} %"


def page(figures: dict[str, Any]) -> str:
    """All that was measured."""
    parts = []
    if questions := figures.get("questions"):
        parts.append(_questions(questions))
    if speech := figures.get("speech"):
        parts.append(_speech(speech))
    if voices := figures.get("voices"):
        parts.append(_voices(voices))
    if speed := figures.get("speed"):
        parts.append(_speed(speed))
    return "\n\n".join(parts)


def _questions(sets: dict[str, Any]) -> str:
    columns = [(f"{name}, {way}", run) for name, ways in sets.items() for way, run in ways.items()]
    kinds = sorted({kind for _, run in columns for kind in run["kinds"]})
    rows = [[kind, *(_right(run["kinds"].get(kind)) for _, run in columns)] for kind in kinds]
    rows.append(["**all**", *(f"**{_right(run)}**" for _, run in columns)])
    rows.append(["not asked word for word in training", *(_right(run.get("new")) for _, run in columns)])
    return "Right answers\n\n" + table(["skill", *(name for name, _ in columns)], rows)


def _right(run: dict[str, Any] | None) -> str:
    return f"{percent(run['rate'])} of {run['n']}" if run else "–"


def _speech(speech: dict[str, Any]) -> str:
    head = ["word error rate", "n", "nano", "espeak-ng", "espeak-ng, codec", "nano, shuffled", "not ended"]
    rows = [
        [
            name,
            str(each["n"]),
            *(percent(each[who]) for who in ("nano", "espeak", "codec", "shuffled")),
            str(each["cut"]),
        ]
        for name, each in speech["voices"].items()
    ]
    return table(head, rows)


def _voices(voices: dict[str, Any]) -> str:
    head = [
        "voice",
        "n",
        "reference, Hz",
        "nano, Hz",
        "nano's match",
        "pitch alone",
        "spectrum alone",
        "espeak-ng's match",
    ]
    rows = []
    for name, each in voices["voices"].items():
        pitches = [f"{each[key]:.0f}" for key in ("reference pitch", "nano pitch")]
        rows.append([name, str(each["n"]), *pitches, *_matches(each)])
    rows.append(["**all**", str(voices["n"]), "", "", *_matches(voices)])
    return f"Nearest reference (by chance: {percent(voices['chance'])})\n\n" + table(head, rows)


def _matches(each: dict[str, Any]) -> list[str]:
    nano, espeak = each["nano"], each["espeak"]
    return [str(nano["both"]), str(nano["pitch"]), str(nano["spectrum"]), str(espeak["both"])]


def _speed(speed: dict[str, Any]) -> str:
    factor, first = speed["real-time factor"], speed["first sound, ms"]
    rows = [
        ["real-time factor, 1 thread", "–" if factor is None else f"{factor:.2f}"],
        ["first sound, 2 threads", "–" if first is None else f"{first:.0f} ms"],
        ["answers", str(speed["n"])],
        ["load average", f"{speed['load']:.1f} on {speed['cores']} cores"],
    ]
    return table(["speed, medians", ""], rows)
