"""What a load test measured: histograms that keep three digits of every value, and counts.

Both add up: each process of clients keeps its own, and what they tell every second is added to the whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hdrh.histogram import HdrHistogram

from realtime.bench.caller import BargeIn
from realtime.bench.listener import Heard

LABELS = {
    "connect": "connect to session.created",
    "commit": "first audio after commit",
    "speech_end": "first audio after end of speech",
    "interval": "between two deltas of audio",
    "gap": "gaps as a listener hears them",
    "noticed": "barge-in: onset to speech_started",
    "barge_in": "barge-in: onset to last delta",
    "round_trip": "an event there and back",
    "late": "own microphone late",
}
"""Every histogram, and what it shows. All in seconds outside, in whole microseconds inside."""
_LONGEST_US = 3_600_000_000
PERCENTILES = (50.0, 90.0, 99.0)


def _histogram() -> HdrHistogram:
    return HdrHistogram(1, _LONGEST_US, 3)


@dataclass(frozen=True)
class Told:
    """Figures on their way from one process to another: `histograms` in HdrHistogram's own encoding, those
    that hold nothing left out."""

    counts: dict[str, int]
    histograms: dict[str, bytes]


@dataclass
class Figures:
    """A record of callers (`realtime.bench.caller.Record`).

    Counts: `opened`, `closed`, `questions`, `answers`, `silent` (questions without an answer that sounds),
    `dry` (answers with a gap), and `error CODE`.
    """

    counts: Counter[str] = field(default_factory=Counter)
    histograms: dict[str, HdrHistogram] = field(
        default_factory=lambda: {name: _histogram() for name in LABELS}
    )

    def add(self, name: str, seconds: float) -> None:
        """One more value of a histogram."""
        self.histograms[name].record_value(min(_LONGEST_US, max(1, round(seconds * 1e6))))

    def heard(self, heard: Heard) -> None:
        if heard.wait is None:
            self.counts["silent"] += 1
            return
        self.counts["answers"] += 1
        self.counts["dry"] += bool(heard.gaps)
        self.add("commit", heard.wait)
        if heard.since_speech is not None:
            self.add("speech_end", heard.since_speech)
        for gap in heard.gaps:
            self.add("gap", gap)
        for interval in heard.intervals:
            self.add("interval", interval)

    def barge_in(self, barge_in: BargeIn) -> None:
        if barge_in.noticed is not None:
            self.add("noticed", barge_in.noticed)
        self.add("barge_in", barge_in.last_delta)

    def late(self, seconds: float) -> None:
        self.add("late", seconds)

    def probed(self, seconds: float) -> None:
        self.add("round_trip", seconds)

    def asked(self) -> None:
        self.counts["questions"] += 1

    def failed(self, code: str) -> None:
        self.counts[f"error {code}"] += 1

    @property
    def errors(self) -> dict[str, int]:
        """Counts of errors by code."""
        return {
            name.removeprefix("error "): count
            for name, count in sorted(self.counts.items())
            if name.startswith("error ")
        }

    def tell(self) -> Told:
        """All of it, to be added elsewhere; here it begins anew."""
        histograms = {
            name: histogram.encode() for name, histogram in self.histograms.items() if histogram.total_count
        }
        told = Told(dict(self.counts), histograms)
        self.counts.clear()
        for name in histograms:
            self.histograms[name].reset()
        return told

    def hear(self, told: Told) -> None:
        """Add what another process measured."""
        self.counts.update(told.counts)
        for name, encoded in told.histograms.items():
            self.histograms[name].decode_and_add(encoded)

    def percentile(self, name: str, percent: float) -> float | None:
        """Seconds; None where nothing was measured."""
        histogram = self.histograms[name]
        return histogram.get_value_at_percentile(percent) / 1e6 if histogram.total_count else None

    def summary(self) -> Mapping[str, Any]:
        """For JSON: counts, errors, and each histogram's figures in ms with all of it in HdrHistogram's own
        encoding (V2, compressed, base64)."""
        return {
            "counts": {name: n for name, n in sorted(self.counts.items()) if not name.startswith("error ")},
            "errors": self.errors,
            "histograms": {
                name: {
                    "count": histogram.total_count,
                    **{f"p{percent:g}_ms": _ms(self.percentile(name, percent)) for percent in PERCENTILES},
                    "max_ms": _ms(self.percentile(name, 100.0)),
                    "hdr": histogram.encode().decode(),
                }
                for name, histogram in self.histograms.items()
            },
        }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
