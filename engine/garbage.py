"""Python's search for reference cycles, seldom enough for sound.

It stops the whole process. With 1,100 sessions a search through all objects takes 0.1 to 0.25 s, and left to
Python it came every other second: that is heard. What is freed by counting references, nearly everything and
every session that has ended (nothing in one may hold itself), does not wait for it.
"""

from __future__ import annotations

import gc

_YOUNG, _GENERATIONS = 20_000, 10
"""Objects that come to be before the youngest are searched (700, left to Python), and how many searches of
one generation go before one of the next."""


def settle() -> None:
    """To be called once all is imported and nobody is there yet: what lives now lives on, and is searched no
    more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _GENERATIONS, _GENERATIONS)
