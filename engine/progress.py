"""How far a long piece of work is, told on standard error: a bar on a terminal, lines in a log."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable

from tqdm import tqdm

log = logging.getLogger(__name__)

_QUIET_S = 1.0
"""Work that is done sooner tells nothing."""
_BETWEEN_S = 10.0


class Progress:
    """Counts the steps of one piece of work.

    Args:
        what: the work, as a person calls it.
        total: how many steps it has.
        clock: seconds, of any beginning.
        bar: True draws a bar, False writes lines to the log; None asks standard error what it is.
    """

    def __init__(
        self,
        what: str,
        total: int,
        clock: Callable[[], float] = time.monotonic,
        bar: bool | None = None,
    ) -> None:
        self._what, self._total, self._clock = what, total, clock
        self._done = 0
        self._begin = self._told = clock()
        drawn = sys.stderr.isatty() if bar is None else bar
        self._bar = tqdm(total=total, desc=what, delay=_QUIET_S, leave=False) if drawn else None

    def step(self) -> None:
        """One step is done. The last one ends it."""
        self._done += 1
        if self._bar is not None:
            self._bar.update()
            if self._done == self._total:
                self._bar.close()
            return
        now = self._clock()
        if self._done == self._total:
            if now - self._begin >= _QUIET_S:
                log.info("%s: done in %.0f s", self._what, now - self._begin)
        elif now - self._told >= _BETWEEN_S:
            self._told = now
            log.info("%s: %d of %d", self._what, self._done, self._total)
