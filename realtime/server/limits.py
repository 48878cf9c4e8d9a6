"""Buckets that fill up again as time passes: what a key may spend, how fast things may come."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any


class Bucket:
    """Holds at most `limit`, and gains `a_second`, by itself that much in a minute. May go below 0: what an
    answer costs is known when it is made."""

    def __init__(self, limit: int, clock: Callable[[], float], a_second: float | None = None) -> None:
        self.limit = limit
        self._clock = clock
        self._a_second = limit / 60 if a_second is None else a_second
        self._level = float(limit)
        self._seen = clock()

    @property
    def level(self) -> float:
        """What is in it now."""
        now = self._clock()
        self._level = min(self.limit, self._level + (now - self._seen) * self._a_second)
        self._seen = now
        return self._level

    def take(self, amount: float) -> None:
        self._level = self.level - amount

    def seconds_until(self, level: float) -> float:
        """How long it takes to fill up to this."""
        return max(0.0, (level - self.level) / self._a_second)


class Meter:
    """Counts the tokens and responses of one key, over all its sessions."""

    def __init__(
        self,
        tokens_per_minute: int | None,
        requests_per_minute: int | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        given = {"tokens": tokens_per_minute, "requests": requests_per_minute}
        self._buckets = {name: Bucket(limit, clock) for name, limit in given.items() if limit is not None}

    def refusal(self) -> str | None:
        """Why no answer may be started now; None where one may."""
        for name, bucket in self._buckets.items():
            needed = 1.0
            if bucket.level < needed:
                wait = math.ceil(bucket.seconds_until(needed))
                return f"This key has used its {bucket.limit} {name} a minute. Try again in {wait} s."
        return None

    def spend(self, tokens: int) -> None:
        """An answer is over, and has cost so many tokens."""
        for name, bucket in self._buckets.items():
            bucket.take(tokens if name == "tokens" else 1)

    def state(self) -> list[dict[str, Any]]:
        """The entries of `rate_limits.updated`."""
        return [
            {
                "name": name,
                "limit": bucket.limit,
                "remaining": max(0, math.floor(bucket.level)),
                "reset_seconds": round(bucket.seconds_until(bucket.limit), 3),
            }
            for name, bucket in self._buckets.items()
        ]
