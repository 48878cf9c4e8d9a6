"""An agent with a tool, with openai-agents: python examples/openai_agents.py [QUESTION.wav]

pip install openai-agents
"""

import asyncio
import os
import sys
import wave
from pathlib import Path

from agents import function_tool, set_tracing_disabled
from agents.realtime import RealtimeAgent, RealtimeRunner

URL = os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1")
SILENCE = bytes(4_800)
"""A tenth of a second, PCM16 at 24 kHz."""


@function_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"The sun shines in {city}."


async def speak(session, question):
    """A microphone: the recording, then silence without end."""
    with wave.open(str(question)) as file:
        while pcm := file.readframes(2_400):
            await session.send_audio(pcm)
            await asyncio.sleep(0.1)
    while True:
        await session.send_audio(SILENCE)
        await asyncio.sleep(0.1)


async def main(question):
    set_tracing_disabled(True)  # Traces go to OpenAI, and need a key of theirs.
    agent = RealtimeAgent(name="Guide", instructions="Answer in one sentence.", tools=[get_weather])
    server = {
        "url": f"{URL.replace('http', 'ws', 1)}/realtime?model=chroma",
        "api_key": os.environ.get("OPENAI_API_KEY", "unused"),
    }
    settings = {"turn_detection": {"type": "server_vad"}}
    runner = RealtimeRunner(agent, config={"model_settings": settings})
    async with await runner.run(model_config=server) as session:
        microphone = asyncio.create_task(speak(session, question))
        sound = 0
        async for event in session:
            if event.type == "audio":
                sound += len(event.audio.data)
            elif event.type == "tool_end":
                print(f"The tool said: {event.output}")
            elif event.type == "agent_end":
                break
            elif event.type == "error":
                sys.exit(str(event.error))
        microphone.cancel()
    print(f"The agent answered with {sound / 48_000:.1f} s of speech.")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1] if sys.argv[1:] else Path(__file__).with_name("question.wav"))))
