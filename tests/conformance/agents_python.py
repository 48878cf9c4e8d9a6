"""openai-agents: `python agents_python.py URL`. Its own session cancels, truncates and runs tools."""

import asyncio
import contextlib
import sys
from importlib.metadata import version

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner
from common import MARKUP, PATIENT_SILENCE, hold, recording


@function_tool
def get_time(city: str) -> str:
    """The time in a city."""
    return f"It is noon in {city}."


class Talk:
    """A session, and all it has told."""

    def __init__(self, session):
        self.session = session
        self.events = []
        self._more = asyncio.Condition()

    async def listen(self):
        async for event in self.session:
            async with self._more:
                self.events.append(event)
                self._more.notify_all()

    async def until(self, wanted, since=0):
        """The first event since then that is `wanted`; an error event is a failure."""
        async with self._more:
            while True:
                for event in self.events[since:]:
                    assert event.type != "error", event.error
                    if wanted(event):
                        return event
                await self._more.wait()

    def raw(self, kind):
        return lambda event: event.type == "raw_model_event" and _kind(event.data) == kind

    async def say(self, pcm):
        for start in range(0, len(pcm), 4800):
            await self.session.send_audio(pcm[start : start + 4800])


def _kind(data):
    return (
        data.data.get("type")
        if data.type == "raw_server_event" and isinstance(data.data, dict)
        else data.type
    )


@contextlib.asynccontextmanager
async def session(url, **settings):
    agent = RealtimeAgent(name="Echo", instructions="Say what you are told.", tools=[get_time])
    runner = RealtimeRunner(agent, config={"model_settings": settings} if settings else None)
    config = {"url": f"{url.replace('http', 'ws', 1)}/realtime?model=gpt-realtime", "api_key": "any"}
    async with await runner.run(model_config=config) as inner:
        talk = Talk(inner)
        listening = asyncio.create_task(talk.listen())
        try:
            await talk.until(talk.raw("session.updated"))
            yield talk
        finally:
            listening.cancel()


def kind(name):
    return lambda event: event.type == name


async def connect(url):
    async with session(url):
        pass


async def spoken(url):
    async with session(url) as talk:
        await talk.say(recording("question") + PATIENT_SILENCE)
        await talk.until(kind("audio"))
        await talk.until(kind("agent_end"))
        assert any(item.role == "assistant" for item in talk.session._history)


async def interrupted(url):
    async with session(url) as talk:
        await talk.say(recording("question") + PATIENT_SILENCE)
        await talk.until(kind("audio"))
        since = len(talk.events)
        await talk.say(recording("question2"))
        await talk.until(kind("audio_interrupted"), since)
        await talk.until(talk.raw("conversation.item.truncated"), since)
        since = len(talk.events)
        await talk.say(PATIENT_SILENCE)
        await talk.until(kind("audio"), since)
        await talk.until(kind("agent_end"), since)


async def tool(url):
    async with session(url) as talk:
        await talk.session.send_message(MARKUP)
        ended = await talk.until(kind("tool_end"))
        assert ended.output == "It is noon in Köln."
        since = talk.events.index(ended)
        done = await talk.until(talk.raw("response.output_audio_transcript.done"), since)
        assert done.data.data["transcript"] == "It is noon in Köln."


async def written(url):
    async with session(url, modalities=["text"]) as talk:
        await talk.session.send_message("good evening")
        done = await talk.until(talk.raw("response.output_text.done"))
        assert done.data.data["text"] == "good evening"


if __name__ == "__main__":
    asyncio.run(hold(sys.argv[1], version("openai-agents"), connect, spoken, interrupted, tool, written))
