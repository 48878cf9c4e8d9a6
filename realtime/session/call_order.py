"""What tools answered, in the order in which they were called: the model tells answers apart by it alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

Entry = TypeVar("Entry")


def in_call_order(
    entries: Iterable[Entry],
    called: Callable[[Entry], Iterable[str]],
    answered: Callable[[Entry], str | None],
) -> list[Entry]:
    """The same entries, each run of answers put in the order of its calls. Answers to calls that nobody
    made come last, as they came.

    Args:
        called: the ids of the calls that an entry makes.
        answered: the id of the call that an entry answers; None where it is no answer.
    """
    places: dict[str, int] = {}
    ordered: list[Entry] = []
    run: list[tuple[str, Entry]] = []

    def end_run() -> None:
        run.sort(key=lambda answer: places.get(answer[0], len(places)))
        ordered.extend(entry for _, entry in run)
        run.clear()

    for entry in entries:
        if (call_id := answered(entry)) is not None:
            run.append((call_id, entry))
            continue
        end_run()
        for call_id in called(entry):
            places.setdefault(call_id, len(places))
        ordered.append(entry)
    end_run()
    return ordered
