"""The openai package's own beta client holds spoken conversations."""

import asyncio
import base64
import json
import warnings

import openai
import pytest
from caller import SILENCE, encoded, recording
from openai.types.beta.realtime import RealtimeServerEvent
from pydantic import TypeAdapter
from websockets.sync.client import connect

EVENT = TypeAdapter(RealtimeServerEvent)


async def hold(url, talk):
    client = openai.AsyncOpenAI(api_key="none", websocket_base_url=f"{url}/v1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        async with client.beta.realtime.connect(model="gpt-4o-realtime-preview") as connection:
            await asyncio.wait_for(talk(connection), 30)


async def until(connection, kind):
    events = []
    while not events or events[-1].type != kind:
        events.append(EVENT.validate_json(await connection.recv_bytes()))
        assert events[-1].type != "error", events[-1]
    return events


async def say(connection, pcm):
    for start in range(0, len(pcm), 1920):
        await connection.input_audio_buffer.append(audio=encoded(pcm[start : start + 1920]))


def test_a_spoken_and_a_written_turn(echo):
    async def talk(connection):
        await until(connection, "session.created")
        vad = {"type": "server_vad", "silence_duration_ms": 400}
        await connection.session.update(session={"turn_detection": vad, "modalities": ["text", "audio"]})
        assert (await until(connection, "session.updated"))[
            -1
        ].session.turn_detection.silence_duration_ms == 400
        await say(connection, recording("question") + SILENCE)
        events = await until(connection, "response.done")
        sound = b"".join(base64.b64decode(e.delta) for e in events if e.type == "response.audio.delta")
        assert len(sound) > 2 * 48_000
        assert events[-1].response.status == "completed"
        content = [{"type": "input_text", "text": "good evening"}]
        await connection.conversation.item.create(
            item={"type": "message", "role": "user", "content": content}
        )
        await connection.response.create(response={"modalities": ["text"]})
        events = await until(connection, "response.done")
        words = "".join(event.delta for event in events if event.type == "response.text.delta")
        assert words == "good evening"

    asyncio.run(hold(echo, talk))


def test_a_barge_in(paced):
    async def talk(connection):
        await until(connection, "session.created")
        vad = {"type": "server_vad", "silence_duration_ms": 400}
        await connection.session.update(session={"turn_detection": vad})
        await say(connection, recording("question") + SILENCE)
        await until(connection, "response.audio.delta")
        await say(connection, recording("question2") + SILENCE)
        first = (await until(connection, "response.done"))[-1].response
        assert (first.status, first.status_details.reason) == ("cancelled", "turn_detected")
        assert (await until(connection, "response.done"))[-1].response.status == "completed"

    asyncio.run(hold(paced, talk))


@pytest.mark.parametrize("subprotocols", [["realtime", "openai-beta.realtime-v1"]])
def test_a_browser_says_so_by_a_subprotocol(echo, subprotocols):
    from test_socket import send
    from websockets.sync.client import connect

    with connect(f"{echo}/v1/realtime", subprotocols=subprotocols) as socket:
        socket.recv(10)
        send(socket, "transcription_session.update", session={})
        assert '"param":"session.type"' in socket.recv(10)


def test_a_session_survives_what_cannot_be_translated(echo):
    nested = '{"type":"session.update","session":' + '{"a":' * 400 + "1" + "}" * 400 + "}"
    frames = [
        '{"type":"session.update","session":{"audio":null,"voice":"alloy"}}',
        '{"type":"session.update","session":{"modalities":[{}]}}',
        nested,
        "no JSON",
    ]
    with connect(f"{echo}/v1/realtime", additional_headers={"OpenAI-Beta": "realtime=v1"}) as socket:

        def told() -> str:
            return json.loads(socket.recv(20))["type"]

        assert told() == "session.created"
        # One by one, and so many at once that some have to wait.
        for frame in frames:
            socket.send(frame)
            assert told() == "error"
        for frame in frames * 8:
            socket.send(frame)
        assert [told() for _ in frames * 8] == ["error"] * 32
        socket.send('{"type":"input_audio_buffer.clear"}')
        assert told() == "input_audio_buffer.cleared"
