"""A stock client's conversations, as a program: `python conversation.py URL MODE`.

Needs the openai package alone, so that it runs on an old one as well as on the newest. Every event is
parsed by that package's own types, each field checked. Prints one JSON object: what happened.
"""

import asyncio
import base64
import json
import sys
import wave
from pathlib import Path
from typing import Any

import openai
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

SPEECH = Path(__file__).parents[1] / "data" / "speech"
SILENCE = bytes(48_000)
EVENT: TypeAdapter[Any] = TypeAdapter(RealtimeServerEvent)


def recording(name: str) -> bytes:
    with wave.open(str(SPEECH / name)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
        return file.readframes(file.getnframes())


class Client:
    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.events: list[Any] = []

    async def next(self) -> Any:
        event = EVENT.validate_json(await self.connection.recv_bytes())
        assert event.type != "error", event
        self.events.append(event)
        return event

    async def until(self, kind: str) -> Any:
        while (event := await self.next()).type != kind:
            pass
        return event

    async def append(self, pcm: bytes) -> None:
        for start in range(0, len(pcm), 1920):
            audio = base64.b64encode(pcm[start : start + 1920]).decode()
            await self.connection.input_audio_buffer.append(audio=audio)

    async def turn_detection(self, value: dict[str, Any] | None) -> None:
        session: Any = {"type": "realtime", "audio": {"input": {"turn_detection": value}}}
        await self.connection.session.update(session=session)
        await self.until("session.updated")


async def server_vad(client: Client) -> None:
    """Two spoken turns; the server finds where each ends."""
    await client.turn_detection({"type": "server_vad", "silence_duration_ms": 400})
    for name in ("question.wav", "question2.wav"):
        await client.append(recording(name) + SILENCE)
        await client.until("response.done")


async def manual(client: Client) -> None:
    """Two spoken turns, committed by hand."""
    await client.turn_detection(None)
    for name in ("question.wav", "question2.wav"):
        await client.append(recording(name))
        await client.connection.input_audio_buffer.commit()
        await client.connection.response.create()
        await client.until("response.done")


async def barge_in(client: Client) -> None:
    """Speak, and speak again while the answer comes: it is cut off, and the second turn answered."""
    await client.turn_detection({"type": "server_vad", "silence_duration_ms": 400})
    await client.append(recording("question.wav") + SILENCE)
    await client.until("response.output_audio.delta")
    await client.append(recording("question2.wav") + SILENCE)
    await client.until("response.done")
    await client.until("response.done")


async def main(url: str, mode: str) -> None:
    client = openai.AsyncOpenAI(api_key="any", base_url=url, websocket_base_url=url)
    async with client.realtime.connect(model="gpt-realtime") as connection:
        talk = Client(connection)
        assert (await talk.next()).type == "session.created"
        await asyncio.wait_for(
            {"server_vad": server_vad, "manual": manual, "barge_in": barge_in}[mode](talk), 60
        )
    events = talk.events
    done = [event.response for event in events if event.type == "response.done"]
    sound = [event for event in events if event.type == "response.output_audio.delta"]
    json.dump(
        {
            "openai": openai.__version__,
            "types": [event.type for event in events],
            "statuses": [response.status for response in done],
            "reasons": [response.status_details and response.status_details.reason for response in done],
            "input_tokens": [response.usage.input_tokens for response in done],
            "audio_tokens": [response.usage.output_token_details.audio_tokens for response in done],
            "seconds": {
                response.id: sum(
                    len(base64.b64decode(event.delta)) for event in sound if event.response_id == response.id
                )
                / 48_000
                for response in done
            },
            "transcripts": [item.content[0].transcript for response in done for item in response.output],
        },
        sys.stdout,
    )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
