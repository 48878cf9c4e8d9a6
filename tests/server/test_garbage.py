"""Python's search for reference cycles in a process of its own: it is set for good."""

import subprocess
import sys

SCRIPT = """
import gc, weakref
import realtime.server.app
from realtime.server.garbage import settle

class Knot:
    def __init__(self):
        self.self = self

before = len(gc.get_objects())
settle()
assert gc.get_freeze_count() > before / 2, gc.get_freeze_count()
assert len(gc.get_objects()) < before / 10
seen = []
gc.callbacks.append(lambda phase, info: seen.append(info["generation"]))
lost = weakref.ref(Knot())
kept = [[] for _ in range(10_000)]
assert lost() is not None and not seen, "not after a few objects"
kept += [[] for _ in range(20_000)]
assert lost() is None and set(seen) == {0}, "but in time"
"""


def test_what_was_there_before_is_searched_no_more_and_what_comes_seldom():
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
