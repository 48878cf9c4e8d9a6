"""The session's invariants under very many random events: `fuzz_session.py [EVENTS [SESSIONS]]`.

The same sequences as tests/session/test_invariants.py draws, but longer, until so many events (1,000,000
unless said otherwise) have gone into sessions. Stops at the first that breaks an invariant, made as small as
it can be.
"""

import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))
from test_invariants import hold, step


def events(sequence: list) -> int:
    """Client events, engine events and answers of the detector alike."""
    return sum(len(value) if isinstance(value, list) else 1 for _, value in sequence)


def main(wanted: int, sessions: int = 250) -> None:
    """`sessions`: so many between two reports."""
    count = batch = 0
    began = time.monotonic()

    while count < wanted:
        batch += 1

        @seed(batch)
        @settings(
            max_examples=sessions, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(st.lists(step, min_size=40, max_size=250), st.booleans(), st.booleans(), st.booleans())
        def one(sequence, interrupt, answer, early):
            nonlocal count
            hold(sequence, interrupt, answer, early)
            count += events(sequence)

        one()
        print(f"{count} events, {batch * sessions} sessions, {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or ["1000000"]))
