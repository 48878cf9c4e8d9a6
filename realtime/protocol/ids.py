"""Ids as the live service spells them: a prefix and 21 letters or digits."""

from __future__ import annotations

import os
import string
from collections.abc import Callable

_LENGTH = 21
_ALPHABET = (string.ascii_letters + string.digits).encode()
# One look-up a byte: every sound delta needs an id. That 256 is no multiple of 62 costs a quarter of a bit.
_OF_BYTE = bytes(_ALPHABET[value % len(_ALPHABET)] for value in range(256))

Ids = Callable[[str], str]
"""Makes an id from a prefix ("event", "item", "resp", "sess", "conv"); unique for the life of a session."""


def random_id(prefix: str) -> str:
    """For example "item_" and 21 random characters. All ids of one prefix have one length."""
    return f"{prefix}_" + os.urandom(_LENGTH).translate(_OF_BYTE).decode()
