"""A transport for clients that still speak the beta's words."""

from __future__ import annotations

import orjson

from realtime.protocol import beta
from realtime.server.frames import Reader
from realtime.server.transport import Through, Transport

_AUDIO = '{"type":"response.output_audio.delta"'
_BETA_AUDIO = '{"type":"response.audio.delta"'


class BetaTransport:
    """Translates what passes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def read(self, reader: Reader) -> None:
        await self._transport.read(Through(reader, _incoming))

    async def send(self, frame: str) -> None:
        if frame.startswith(_AUDIO):
            # Most of what is sent: nothing but its name differs.
            await self._transport.send(_BETA_AUDIO + frame[len(_AUDIO) :])
        elif (event := beta.outgoing(orjson.loads(frame))) is not None:
            await self._transport.send(orjson.dumps(event).decode())

    async def close(self, code: int, reason: str) -> None:
        await self._transport.close(code, reason)


def _incoming(frame: str | bytes) -> str | bytes:
    """Raises whatever it stumbles over, where there is no event in it."""
    return frame if isinstance(frame, bytes) else orjson.dumps(beta.incoming(orjson.loads(frame))).decode()
