"""A LiveKit agent whose model is this server: python examples/livekit/agent.py [QUESTION.wav] [ANSWER.wav]

Sound comes from a file and goes to one, so that it needs no LiveKit server. In a room, leave `Recording` and
`Answer` out and give the room instead: `await session.start(agent(), room=context.room)`.
"""

import asyncio
import os
import sys
import wave
from io import BytesIO
from pathlib import Path

from livekit import rtc
from livekit.agents import Agent, AgentSession, function_tool
from livekit.agents.voice import io
from livekit.plugins import openai
from openai.types import realtime

RATE = 24_000
CHUNK = RATE // 20


def model():
    """All that makes LiveKit talk to this server."""
    return openai.realtime.RealtimeModel(
        base_url=os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1"),
        api_key=os.environ.get("OPENAI_API_KEY", "unused"),
        model="chroma",
        turn_detection=realtime.realtime_audio_input_turn_detection.ServerVad(type="server_vad"),
    )


def agent():
    @function_tool
    async def get_weather(city: str) -> str:
        """The weather in a city."""
        return f"The sun shines in {city}."

    return Agent(instructions="Answer in one sentence.", tools=[get_weather])


class Recording(io.AudioInput):
    """A microphone: the recording at the pace at which it was spoken, then silence."""

    def __init__(self, path):
        super().__init__(label="recording")
        with wave.open(str(path)) as file:
            self._pcm = BytesIO(file.readframes(file.getnframes()))

    async def __anext__(self):
        await asyncio.sleep(CHUNK / RATE)
        pcm = self._pcm.read(CHUNK * 2)
        return rtc.AudioFrame(pcm.ljust(CHUNK * 2, b"\0"), RATE, 1, CHUNK)


class Answer(io.AudioOutput):
    """A loudspeaker that keeps what it gets, and says at once that it has been played."""

    def __init__(self):
        super().__init__(
            label="answer", capabilities=io.AudioOutputCapabilities(pause=False), sample_rate=RATE
        )
        self.pcm = bytearray()
        self.whole = asyncio.Event()

    async def capture_frame(self, frame):
        await super().capture_frame(frame)
        self.pcm += bytes(frame.data)

    def flush(self):
        super().flush()
        if self.pcm and not self.whole.is_set():
            self.on_playback_finished(playback_position=len(self.pcm) / 2 / RATE, interrupted=False)
            self.whole.set()

    def clear_buffer(self):
        self.flush()


async def main(question, answer):
    chroma, speaker = model(), Answer()
    session = AgentSession(llm=chroma)
    session.input.audio, session.output.audio = Recording(question), speaker

    @session.on("conversation_item_added")
    def tell(event):
        if event.item.type == "message":
            print(f"{event.item.role}: {event.item.text_content}")

    failed = asyncio.Event()

    @session.on("error")
    def give_up(event):
        if not event.error.recoverable:
            failed.set()

    await session.start(agent())
    ends = [asyncio.create_task(event.wait()) for event in (speaker.whole, failed)]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    if not speaker.whole.is_set():
        sys.exit("The session ended before there was an answer; the reason is above.")
    await session.aclose()
    await chroma.aclose()
    with wave.open(str(answer), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(speaker.pcm)
    print(f"{len(speaker.pcm) / 2 / RATE:.1f} s of speech are in {answer}.")


if __name__ == "__main__":
    arguments = [Path(each) for each in sys.argv[1:3]]
    defaults = [Path(__file__).parents[1] / "question.wav", Path("answer.wav")]
    asyncio.run(main(*arguments, *defaults[len(arguments) :]))
