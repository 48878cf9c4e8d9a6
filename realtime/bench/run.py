"""One load test from its first session to its last, watched every second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.live import Live

from realtime.bench.figures import Figures
from realtime.bench.load import Clients
from realtime.bench.server_load import ServerLoad
from realtime.bench.show import line, live_table

_LINE_EVERY_S = 5.0


class Run:
    """One test, watched to its end; Ctrl-C ends it sooner, with all that was measured."""

    def __init__(self, clients: Clients, server: ServerLoad, figures: Figures, warm_up: float) -> None:
        self._clients, self._server, self._figures, self._warm_up = clients, server, figures, warm_up
        self._begin = time.monotonic()
        self._timeline: list[dict[str, Any]] = []
        self._now: dict[str, Any] = server.look()

    def watch(self) -> list[dict[str, Any]]:
        """Returns what every second was like."""
        if sys.stderr.isatty():
            with Live(console=Console(stderr=True), auto_refresh=False) as live:
                self._follow(lambda: live.update(self._table(), refresh=True), 1.0)
        else:
            self._follow(self._line, _LINE_EVERY_S)
        return self._timeline

    def _follow(self, show: Callable[[], None], every: float) -> None:
        shown = 0.0
        while True:
            try:
                if not self._second():
                    return
                if time.monotonic() - shown >= every:
                    shown = time.monotonic()
                    show()
            except KeyboardInterrupt:
                self._clients.stop()

    def _second(self) -> bool:
        """What a second brought; False: it is over."""
        told = self._clients.hear(1.0)
        if told is None:
            return False
        seconds, since = time.monotonic() - self._begin, Figures()
        for each in told:
            since.hear(each)
        if seconds < self._warm_up:
            # Who came then is there all the same.
            kept = {name: since.counts[name] for name in ("opened", "closed")}
            self._figures.counts.update(kept)
        else:
            for each in told:
                self._figures.hear(each)
        self._now = self._server.look()
        counts = self._figures.counts
        p50, p99 = (since.percentile("commit", percent) for percent in (50.0, 99.0))
        self._timeline.append(
            {
                "second": round(seconds, 2),
                "sessions": counts["opened"] - counts["closed"],
                "answers": since.counts["answers"],
                "errors": sum(since.errors.values()),
                "commit_p50_ms": None if p50 is None else p50 * 1000,
                "commit_p99_ms": None if p99 is None else p99 * 1000,
                **self._now,
            }
        )
        return True

    def _table(self) -> Any:
        return live_table(self._figures, self._now, self._clients.until - time.monotonic())

    def _line(self) -> None:
        print(line(self._figures, self._now, time.monotonic() - self._begin), file=sys.stderr, flush=True)
