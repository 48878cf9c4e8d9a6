"""How a load test is told: a live table while it runs, and the whole when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from realtime.bench.figures import LABELS, PERCENTILES, Figures


def ms(seconds: float | None) -> str:
    """Milliseconds; a dash where there is nothing."""
    return "–" if seconds is None else f"{seconds * 1000:.1f}"


def percent(share: float | None) -> str:
    """Of a core."""
    return "–" if share is None else f"{100 * share:.0f} %"


def megabytes(size: float | None) -> str:
    return "–" if size is None else f"{size / 1e6:.0f} MB"


def state(figures: Figures) -> str:
    """The counts in one line."""
    counts = figures.counts
    errors = ", ".join(f"{code} {count}" for code, count in figures.errors.items())
    return (
        f"sessions {counts['opened'] - counts['closed']} open of {counts['opened']} opened;"
        f" questions {counts['questions']}, answers {counts['answers']}, without sound {counts['silent']},"
        f" with gaps {counts['dry']}; errors: {errors or 'none'}"
    )


def server_state(server: Mapping[str, Any]) -> str:
    """What it costs the server in one line, of a look or of the whole."""
    memory = server.get("memory", server.get("memory_most"))
    engine = server.get("engine_memory", server.get("engine_memory_most"))
    if memory is None and server["cpu"] is None:
        return "server: not to be seen (no /metrics there, and no --pid)"
    text = f"server: {percent(server['cpu'])} of a core, {megabytes(memory)}"
    if engine:
        text += f"; engine: {percent(server['engine_cpu'])} of a core, {megabytes(engine)}"
    return text


def cells(figures: Figures) -> list[tuple[str, ...]]:
    """A row for each histogram: what it shows, how many values, and them in ms."""
    return [
        (
            label,
            f"{figures.histograms[name].total_count}",
            *(ms(figures.percentile(name, each)) for each in (*PERCENTILES, 100.0)),
        )
        for name, label in LABELS.items()
    ]


HEAD = ("ms", "count", *(f"p{each:g}" for each in PERCENTILES), "max")


def live_table(figures: Figures, server: Mapping[str, Any], seconds_left: float) -> Table:
    """For rich's Live."""
    table = Table(
        title=f"{max(0.0, seconds_left):.0f} s left", caption=f"{state(figures)}\n{server_state(server)}"
    )
    for index, name in enumerate(HEAD):
        table.add_column(name, justify="right" if index else "left")
    for row in cells(figures):
        table.add_row(*row)
    return table


def line(figures: Figures, server: Mapping[str, Any], seconds: float) -> str:
    """Where there is no terminal: one line now and then."""
    waits = " ".join(ms(figures.percentile("commit", each)) for each in (50.0, 99.0))
    waits = f"first audio after commit p50 p99 {waits} ms"
    return f"{seconds:6.0f} s  {state(figures)}; {waits}; {server_state(server)}"


def report(figures: Figures, server: Mapping[str, Any]) -> str:
    """All of it, as plain text."""
    rows = [HEAD, *cells(figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join([*lines, "", state(figures), server_state(server)])
