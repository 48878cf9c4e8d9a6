"""The engine's numbers as Prometheus metrics: plain data from over the wall, named here."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from engine import EngineStats


class EngineCollector(Collector):
    """Shows the `stats` that were set last; None: the engine cannot say, it is down."""

    def __init__(self) -> None:
        self.stats: EngineStats | None = None

    def collect(self) -> Iterator[Metric]:
        stats = self.stats
        yield GaugeMetricFamily(
            "chroma_engine_up", "1 while the engine answers.", value=float(stats is not None)
        )
        if stats is None:
            return
        yield GaugeMetricFamily("chroma_engine_slots", "Most answers spoken at once.", value=stats.slots)
        yield _labelled(
            GaugeMetricFamily(
                "chroma_engine_answers", "Answers that are being made, or wait for a slot.", labels=["state"]
            ),
            {"speaking": stats.speaking, "writing": stats.writing, "waiting": stats.waiting},
        )
        yield GaugeMetricFamily(
            "chroma_engine_pairs_queued",
            "Text tokens that wait to be spoken, of all answers together.",
            value=stats.pairs,
        )
        yield _labelled(
            GaugeMetricFamily(
                "chroma_engine_kv_tokens",
                "Tokens whose keys and values the Reasoner holds, and the most that it could.",
                labels=["state"],
            ),
            {"held": stats.kv_tokens, "room": stats.kv_room},
        )
        yield CounterMetricFamily("chroma_engine_frames", "Frames of sound (80 ms).", value=stats.frames)
        yield _labelled(
            CounterMetricFamily(
                "chroma_engine_prompt_tokens",
                "Tokens of prompts: found in the prefix cache, or read.",
                labels=["source"],
            ),
            {"cache": stats.cached_tokens, "read": stats.prompt_tokens - stats.cached_tokens},
        )
        steps = CounterMetricFamily(
            "chroma_engine_graph_steps",
            "Steps of a part of the model: a CUDA graph replayed (hit), or launched kernel by kernel (miss).",
            labels=["part", "result"],
        )
        for part, (hits, misses) in stats.steps.items():
            steps.add_metric([part.lower(), "hit"], hits)
            steps.add_metric([part.lower(), "miss"], misses)
        yield steps
        yield CounterMetricFamily(
            "chroma_engine_starts", "Starts of the engine's process.", value=stats.starts
        )
        yield CounterMetricFamily(
            "chroma_engine_cpu_seconds", "Processor time of the engine's process.", value=stats.cpu_seconds
        )
        yield GaugeMetricFamily(
            "chroma_engine_memory_bytes", "Main memory of the engine's process.", value=stats.memory_bytes
        )


def _labelled(
    family: GaugeMetricFamily | CounterMetricFamily, values: dict[str, int]
) -> GaugeMetricFamily | CounterMetricFamily:
    for label, value in values.items():
        family.add_metric([label], value)
    return family
