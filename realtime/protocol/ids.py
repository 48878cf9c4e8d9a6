"""Ids as the live service spells them: a prefix and 21 letters or digits."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable

_ALPHABET = string.ascii_letters + string.digits
_LENGTH = 21

Ids = Callable[[str], str]
"""Makes an id from a prefix ("event", "item", "resp", "sess", "conv"); unique for the life of a session."""


def random_id(prefix: str) -> str:
    """For example "item_" and 21 random characters. All ids of one prefix have one length."""
    return f"{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
