"""What passes between the gateway's process and the engine's: messages, and how one is framed.

A frame is eight bytes of length, big-endian, and a pickle. Pickle runs code of the sender's choosing, so
it is only for a peer that is trusted: here both ends are our own code, joined by an unnamed socket pair
that nobody else can open.
"""

from __future__ import annotations

import asyncio
import pickle
import struct
from dataclasses import dataclass

from engine.api import Audio, Event, Request, Voice
from engine.settings import EngineSettings
from engine.stats import EngineStats

_LENGTH = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Respond:
    """To the child: start an answer. The sound of an `Audio` or a `Reference` is empty where the child holds
    that id already; of one that it was sent by `Listen` it is the rest."""

    key: int
    request: Request


@dataclass(frozen=True, slots=True)
class Cancel:
    """To the child: end the answer `key`."""

    key: int


@dataclass(frozen=True, slots=True)
class Listen:
    """To the child: more of a sound that is still being spoken."""

    audio: Audio
    before: Request | None


@dataclass(frozen=True, slots=True)
class Forget:
    """To the child: drop these sounds."""

    audio_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AskVoices:
    """To the child: reply with `Voices` of the same `call`."""

    call: int


@dataclass(frozen=True, slots=True)
class AskTurn:
    """To the child: reply with `TurnOver` of the same `call`. The sound is not kept under its id."""

    call: int
    audio: Audio


@dataclass(frozen=True, slots=True)
class AskStats:
    """To the child: reply with `Stats` of the same `call`."""

    call: int


@dataclass(frozen=True, slots=True)
class Ready:
    """From the child, once: the engine is open and is listed as `model`."""

    model: str


@dataclass(frozen=True, slots=True)
class Refused:
    """From the child: an EngineError, at start-up (`call` is None) or in reply to a call."""

    code: str
    message: str
    call: int | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """From the child: the next event of the answer `key`."""

    key: int
    event: Event


@dataclass(frozen=True, slots=True)
class Voices:
    """From the child: the reply to `AskVoices`."""

    call: int
    voices: list[Voice]


@dataclass(frozen=True, slots=True)
class TurnOver:
    """From the child: the reply to `AskTurn`."""

    call: int
    probability: float


@dataclass(frozen=True, slots=True)
class Stats:
    """From the child: the reply to `AskStats`."""

    call: int
    stats: EngineStats


ToChild = EngineSettings | Respond | Cancel | Listen | Forget | AskVoices | AskTurn | AskStats
"""The settings are the first message of all, and come once."""

FromChild = Ready | Refused | Answered | Voices | TurnOver | Stats


def pack(message: object) -> bytes:
    """One message as it goes over the socket."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(body)) + body


async def receive(reader: asyncio.StreamReader) -> object:
    """The next message of the socket.

    Raises:
        EOFError: the peer has gone.
    """
    try:
        (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        return pickle.loads(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        raise EOFError("the other process has gone") from None
