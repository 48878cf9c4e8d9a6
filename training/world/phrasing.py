"""Ways to say one thing, split for good into those that are trained on and those that are held out.

A wording is a core between an opener and a closer. Whether it is held out follows from its text alone,
so no training ever meets a held-out one. Plain cores are always trained on.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

OPENERS = ("", "", "", "", "hey nano", "okay nano", "please", "nano", "okay", "so", "and now", "excuse me")
CLOSERS = ("", "", "", "please", "nano", "now")
_HELD_OUT_SHARE = 10
"""One wording in so many is held out."""


def is_held_out(opener: str, core: str, closer: str) -> bool:
    """Whether this wording is kept for evaluation alone."""
    if not opener and not closer:
        return False
    digest = hashlib.sha256(f"{opener}|{core}|{closer}".encode()).digest()
    return digest[0] % _HELD_OUT_SHARE == 0


def phrase(rng: random.Random, cores: Sequence[str], *, held_out: bool, bare: bool = False) -> str:
    """One wording of `cores`, with its {slots} still open.

    Args:
        held_out: draw from the held-out wordings instead of the trained ones.
        bare: no opener and no closer; such wordings are trained on whatever `held_out` says.
    """
    if bare:
        return rng.choice(cores)
    while True:
        opener, core, closer = rng.choice(OPENERS), rng.choice(cores), rng.choice(CLOSERS)
        if opener and closer and rng.random() < 0.5:
            continue
        if "please" in opener and "please" in closer:
            continue
        if is_held_out(opener, core, closer) == held_out:
            return " ".join(part for part in (opener, core, closer) if part)
