"""Twilio's side of a media stream: a caller who speaks G.711 and hears what is sent back, mark by mark."""

import base64
import json

from websockets.asyncio.client import connect

FRAME = 160
"""Bytes of 20 ms: what Twilio sends at once."""


class Telephone:
    """One call, from the `connected` message to `stop`. Sound that arrives waits until it is `heard`."""

    def __init__(self, url):
        self._url = url
        self._queue = []
        self._number = 0
        self.heard = b""
        self.cleared = 0

    async def __aenter__(self):
        self._socket = await connect(self._url)
        await self._socket.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        start = {
            "streamSid": "MZ1",
            "accountSid": "AC1",
            "callSid": "CA1",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {},
        }
        await self._send("start", start=start)
        return self

    async def __aexit__(self, *_):
        await self._send("stop", stop={"accountSid": "AC1", "callSid": "CA1"})
        await self._socket.close()

    async def say(self, mulaw):
        for start in range(0, len(mulaw), FRAME):
            payload = base64.b64encode(mulaw[start : start + FRAME]).decode()
            await self._send("media", media={"track": "inbound", "payload": payload})

    async def receive(self):
        """The next message's event. Media and marks are kept until they are played or cleared."""
        message = json.loads(await self._socket.recv())
        assert message["streamSid"] == "MZ1"
        if message["event"] == "clear":
            self.cleared += 1
            # Twilio returns the marks of what it throws away.
            for kept in self._queue:
                await self._return(kept)
            self._queue.clear()
        else:
            self._queue.append(message)
        return message["event"]

    async def play(self, most=None):
        """Play what waits, at most so many messages, and tell so by its marks."""
        playing, self._queue = self._queue[:most], self._queue[len(self._queue[:most]) :]
        for message in playing:
            if message["event"] == "media":
                self.heard += base64.b64decode(message["media"]["payload"])
            await self._return(message)

    async def _return(self, message):
        if message["event"] == "mark":
            await self._send("mark", mark=message["mark"])

    async def _send(self, event, **what):
        self._number += 1
        whole = {"event": event, "sequenceNumber": str(self._number), "streamSid": "MZ1", **what}
        await self._socket.send(json.dumps(whole))
