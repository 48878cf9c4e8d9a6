"""The openai package's client: `python openai_python.py URL`. Every event is parsed by its own types."""

import asyncio
import base64
import sys

import openai
from common import MARKUP, SILENCE, hold, recording
from openai.types.realtime import RealtimeServerEvent
from pydantic import TypeAdapter

EVENT = TypeAdapter(RealtimeServerEvent)
VAD = {"type": "server_vad", "silence_duration_ms": 400}
TOOL = {
    "type": "function",
    "name": "get_time",
    "description": "The time in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


class Talk:
    def __init__(self, connection):
        self.do = connection

    async def next(self):
        event = EVENT.validate_json(await self.do.recv_bytes())
        assert event.type != "error", event.error
        return event

    async def until(self, kind):
        events = [await self.next()]
        while events[-1].type != kind:
            events.append(await self.next())
        return events

    async def say(self, pcm):
        for start in range(0, len(pcm), 1920):
            audio = base64.b64encode(pcm[start : start + 1920]).decode()
            await self.do.input_audio_buffer.append(audio=audio)

    async def write(self, text):
        content = [{"type": "input_text", "text": text}]
        await self.do.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        await self.do.response.create()


async def session(url, talk, **settings):
    # Old versions do not make ws:// of http:// by themselves.
    client = openai.AsyncOpenAI(api_key="any", websocket_base_url=url.replace("http", "ws", 1))
    async with client.realtime.connect(model="gpt-realtime") as connection:
        one = Talk(connection)
        assert (await one.next()).type == "session.created"
        patch = {"type": "realtime", "audio": {"input": {"turn_detection": VAD}}, **settings}
        await connection.session.update(session=patch)
        await one.until("session.updated")
        await talk(one)


async def connect(url):
    async def talk(one):
        return None

    await session(url, talk)


async def spoken(url):
    async def talk(one):
        await one.say(recording("question") + SILENCE)
        events = await one.until("response.done")
        assert events[-1].response.status == "completed"
        assert sum(event.type == "response.output_audio.delta" for event in events) > 20

    await session(url, talk)


async def interrupted(url):
    async def talk(one):
        await one.say(recording("question") + SILENCE)
        item = (await one.until("response.output_audio.delta"))[-1].item_id
        await one.say(recording("question2"))
        done = (await one.until("response.done"))[-1].response
        assert (done.status, done.status_details.reason) == ("cancelled", "turn_detected")
        await one.do.conversation.item.truncate(item_id=item, content_index=0, audio_end_ms=80)
        await one.until("conversation.item.truncated")
        await one.say(SILENCE)
        assert (await one.until("response.done"))[-1].response.status == "completed"

    await session(url, talk)


async def tool(url):
    async def talk(one):
        await one.write(MARKUP)
        output = (await one.until("response.done"))[-1].response.output
        (call,) = [item for item in output if item.type == "function_call"]
        assert (call.name, call.arguments, call.status) == ("get_time", '{"city": "Köln"}', "completed")
        await one.do.conversation.item.create(
            item={"type": "function_call_output", "call_id": call.call_id, "output": "It is noon."}
        )
        await one.do.response.create()
        output = (await one.until("response.done"))[-1].response.output
        assert output[0].content[0].transcript == "It is noon."

    await session(url, talk, tools=[TOOL])


async def written(url):
    async def talk(one):
        await one.write("good evening")
        output = (await one.until("response.done"))[-1].response.output
        assert output[0].content[0].text == "good evening"

    await session(url, talk, output_modalities=["text"])


if __name__ == "__main__":
    asyncio.run(hold(sys.argv[1], openai.__version__, connect, spoken, interrupted, tool, written))
