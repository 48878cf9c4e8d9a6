"""What a load costs the server, where that can be seen: by its `/metrics`, or by its process on this machine.

Any server that shows the usual `process_…` metrics of Prometheus clients is seen; of this one the engine too.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Used:
    """At one moment: processor seconds so far and bytes of memory, of the server's process and of its
    engine's; None: that cannot be seen. `vad_lag_s`: sound that waits for voice activity detection."""

    cpu_s: float | None = None
    memory: float | None = None
    engine_cpu_s: float | None = None
    engine_memory: float | None = None
    vad_lag_s: float | None = None


_CPU = ("cpu_s", "engine_cpu_s")
_METRICS = {
    "process_cpu_seconds_total": "cpu_s",
    "process_resident_memory_bytes": "memory",
    "chroma_engine_cpu_seconds_total": "engine_cpu_s",
    "chroma_engine_memory_bytes": "engine_memory",
    "chroma_realtime_vad_lag_seconds": "vad_lag_s",
}


class ServerLoad:
    """Looks at a server again and again.

    Args:
        url: of its metrics.
        pid: of its process, where it runs on this machine; its children count as its engine.
    """

    def __init__(self, url: str, key: str | None, pid: int | None, *, insecure: bool = False) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(headers=headers, timeout=_PATIENCE_S, verify=not insecure)
        self._url: str | None = url
        self._process = psutil.Process(pid) if pid else None
        self._seen: list[tuple[float, Used]] = []

    def look(self) -> dict[str, Any]:
        """What is used now, as plain numbers; cpu as the share of a core since the look before."""
        now, used = time.monotonic(), self._by_process() if self._process else self._by_metrics()
        before = self._seen[-1] if self._seen else None
        self._seen.append((now, used))
        numbers = {name: value for name, value in asdict(used).items() if not name.endswith("cpu_s")}
        shares = {name.removesuffix("_s"): _share(before, (now, used), name) for name in _CPU}
        return {**numbers, **shares}

    def summary(self) -> dict[str, Any]:
        """Shares of a core over all looks, and the most memory that was seen."""
        first, last = (self._seen[0], self._seen[-1]) if self._seen else (None, (0.0, Used()))
        shares = [_share(*pair, "cpu_s") for pair in pairwise(self._seen)]
        memory = [used.memory for _, used in self._seen if used.memory is not None]
        engine = [used.engine_memory for _, used in self._seen if used.engine_memory is not None]
        lags = [used.vad_lag_s for _, used in self._seen if used.vad_lag_s is not None]
        return {
            **{name.removesuffix("_s"): _share(first, last, name) for name in _CPU},
            "cpu_busiest": max((share for share in shares if share is not None), default=None),
            "memory_first": memory[0] if memory else None,
            "memory_most": max(memory, default=None),
            "engine_memory_most": max(engine, default=None),
            "vad_lag_most_s": max(lags, default=None),
        }

    def close(self) -> None:
        self._client.close()

    def _by_metrics(self) -> Used:
        if self._url is None:
            return Used()
        try:
            answer = self._client.get(self._url)
        except httpx.HTTPError:
            return Used()
        if answer.status_code != 200:
            # It has none, or not for us: it is not asked every second.
            self._url = None
            return Used()
        found: dict[str, float] = {}
        with contextlib.suppress(ValueError):
            for family in text_string_to_metric_families(answer.text):
                for sample in family.samples:
                    if sample.name in _METRICS:
                        found[_METRICS[sample.name]] = sample.value
        return Used(**found)

    def _by_process(self) -> Used:
        assert self._process is not None
        try:
            own, children = self._process, self._process.children(recursive=True)
            times = own.cpu_times()
            theirs = [child.cpu_times() for child in children]
            return Used(
                times.user + times.system,
                own.memory_info().rss,
                sum(each.user + each.system for each in theirs),
                sum(child.memory_info().rss for child in children),
            )
        except psutil.Error:
            return Used()


def _share(before: tuple[float, Used] | None, now: tuple[float, Used], name: str) -> float | None:
    if before is None or before[0] == now[0]:
        return None
    one, other = getattr(before[1], name), getattr(now[1], name)
    if one is None or other is None or other < one:
        return None
    return float((other - one) / (now[0] - before[0]))
