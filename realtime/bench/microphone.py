"""Sound over a client's WebSocket at a fraction of what a message costs: many clients share this machine."""

from __future__ import annotations

import functools

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import State

_WAITING = 1 << 16
"""Bytes that may wait to be sent before a piece waits for its turn."""


@functools.lru_cache(maxsize=8192)
def framed(event: str) -> bytes:
    """An event as the bytes of a text message, framed and masked once for whoever sends it: a client may use
    one mask for all (RFC 6455, 5.3: it hides nothing from the server)."""
    return Frame(Opcode.TEXT, event.encode()).serialize(mask=True)


class Microphone:
    """Sends events of which few are different."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send(self, event: str) -> None:
        """As the socket's own `send`.

        Raises:
            ConnectionClosed: by the socket.
        """
        transport = self._socket.transport
        if self._socket.state is not State.OPEN or transport.get_write_buffer_size() > _WAITING:
            await self._socket.send(event)
        else:
            transport.write(framed(event))
