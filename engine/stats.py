"""What an engine tells of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields


@dataclass(frozen=True, slots=True)
class EngineStats:
    """What an engine is busy with, as numbers that an operator may watch. Gauges are of this moment, counters
    run from the engine's start. What an engine does not have stays 0 or empty.

    Attributes:
        slots: most answers spoken at once (gauge).
        speaking: answers that are being spoken (gauge).
        writing: answers in text alone that are being made (gauge).
        waiting: answers that wait for a slot (gauge).
        pairs: text tokens that wait to be spoken, of all answers together (gauge).
        kv_tokens: tokens whose keys and values the Reasoner holds, for answers under way and for turns to
            come (gauge); of at most `kv_room`.
        frames: of sound that were made (counter).
        prompt_tokens: of all prompts that were read; `cached_tokens` of them had been read before
            (counters).
        steps: by part of the model, how many steps of it were replayed from a CUDA graph and how many were
            launched kernel by kernel although graphs are on (counters).
        starts: how often the engine's own process was started (counter).
        cpu_seconds: of processor time that this process has taken (counter).
        memory_bytes: of main memory that it holds (gauge).
    """

    slots: int = 0
    speaking: int = 0
    writing: int = 0
    waiting: int = 0
    pairs: int = 0
    kv_tokens: int = 0
    kv_room: int = 0
    frames: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    steps: dict[str, tuple[int, int]] = field(default_factory=dict)
    starts: int = 0
    cpu_seconds: float = 0.0
    memory_bytes: int = 0


def total(parts: Sequence[EngineStats]) -> EngineStats:
    """The numbers of several engines added up."""
    steps: dict[str, tuple[int, int]] = {}
    for part in parts:
        for name, (replayed, launched) in part.steps.items():
            before = steps.get(name, (0, 0))
            steps[name] = (before[0] + replayed, before[1] + launched)
    names = [each.name for each in fields(EngineStats) if each.name != "steps"]
    return EngineStats(**{name: sum(getattr(part, name) for part in parts) for name in names}, steps=steps)


class Lives:
    """What one engine counts over all lives of its process, so that its counters never go down."""

    def __init__(self) -> None:
        self._ended = EngineStats()
        self._last = EngineStats()

    def add(self, stats: EngineStats) -> EngineStats:
        """The numbers that the engine has just told, and what it counted in its lives before."""
        if stats.starts > self._last.starts:
            self._ended = total([self._ended, _counted(self._last)])
        self._last = stats
        return total([self._ended, stats])

    def ended(self) -> EngineStats:
        """While it is down: what it counted, as far as it told."""
        return total([self._ended, _counted(self._last), EngineStats(starts=self._last.starts)])


def _counted(stats: EngineStats) -> EngineStats:
    """What begins at 0 with each process."""
    return EngineStats(
        frames=stats.frames,
        prompt_tokens=stats.prompt_tokens,
        cached_tokens=stats.cached_tokens,
        steps=stats.steps,
        cpu_seconds=stats.cpu_seconds,
    )
