"""Figures add up across processes, and say in ms what was measured in seconds."""

import pytest
from hdrh.histogram import HdrHistogram

from realtime.bench.caller import BargeIn
from realtime.bench.figures import Figures
from realtime.bench.listener import Heard


def some() -> Figures:
    figures = Figures()
    figures.asked()
    figures.heard(Heard(0.2, (0.05,), (0.0, 1.0), (0.08, 0.12), since_speech=0.7))
    figures.heard(Heard())
    figures.barge_in(BargeIn(0.1, 0.3))
    figures.failed("engine_full")
    return figures


def test_what_two_processes_tell_adds_up():
    whole, one = Figures(), some()
    whole.hear(one.tell())
    whole.hear(some().tell())
    assert (whole.counts["questions"], whole.counts["answers"], whole.counts["silent"]) == (2, 2, 2)
    assert whole.counts["dry"] == 2
    assert whole.errors == {"engine_full": 2}
    assert whole.histograms["interval"].total_count == 4
    assert whole.percentile("interval", 100) == pytest.approx(0.12, rel=1e-3)
    assert whole.percentile("speech_end", 50) == pytest.approx(0.7, rel=1e-3)
    assert whole.percentile("barge_in", 50) == pytest.approx(0.3, rel=1e-3)
    assert whole.percentile("late", 50) is None
    assert not one.counts, "it told all of it, and begins anew"
    assert one.percentile("commit", 50) is None


def test_a_summary_holds_every_value_in_hdrhistograms_own_encoding():
    summary = some().summary()
    assert summary["errors"] == {"engine_full": 1}
    commit = summary["histograms"]["commit"]
    assert commit["count"] == 1
    assert commit["p50_ms"] == pytest.approx(200, rel=1e-3)
    assert HdrHistogram.decode(commit["hdr"]).get_max_value() == pytest.approx(200_000, rel=1e-3)
    assert summary["histograms"]["late"]["p50_ms"] is None
