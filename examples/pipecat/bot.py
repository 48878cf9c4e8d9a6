"""A Pipecat bot whose model is this server: python examples/pipecat/bot.py [QUESTION.wav] [ANSWER.wav]

Sound comes from a file and goes to one. In a bot of yours, the input and output of your transport stand where
`Recording` and `Answer` stand here, and the rest is the same.
"""

import asyncio
import os
import sys
import wave
from io import BytesIO
from pathlib import Path

from loguru import logger
from pipecat.frames.frames import (
    EndFrame,
    InputAudioRawFrame,
    StartFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.workers.runner import WorkerRunner

RATE = 24_000
CHUNK = RATE // 50
HTTP = os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1")


def model():
    """All that makes Pipecat talk to this server."""
    return OpenAIRealtimeLLMService(
        base_url=f"{HTTP.replace('http', 'ws', 1)}/realtime",
        api_key=os.environ.get("OPENAI_API_KEY", "unused"),
        settings=OpenAIRealtimeLLMService.Settings(
            model="chroma",
            session_properties=events.SessionProperties(
                instructions="Answer in one sentence.",
                audio=events.AudioConfiguration(
                    input=events.AudioInput(turn_detection=events.TurnDetection(type="server_vad"))
                ),
            ),
        ),
    )


class Recording(FrameProcessor):
    """A microphone: the recording at the pace at which it was spoken, then silence."""

    def __init__(self, path):
        super().__init__()
        with wave.open(str(path)) as file:
            self._pcm = BytesIO(file.readframes(file.getnframes()))
        self._speaking = None

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        await self.push_frame(frame, direction)
        if isinstance(frame, StartFrame):
            self._speaking = self.create_task(self._speak())

    async def cleanup(self):
        await super().cleanup()
        if self._speaking:
            await self.cancel_task(self._speaking)

    async def _speak(self):
        while True:
            pcm = self._pcm.read(CHUNK * 2).ljust(CHUNK * 2, b"\0")
            await self.push_frame(InputAudioRawFrame(pcm, RATE, 1), FrameDirection.DOWNSTREAM)
            await asyncio.sleep(CHUNK / RATE)


class Answer(FrameProcessor):
    """A loudspeaker that keeps what it gets, and ends the pipeline with the answer."""

    def __init__(self):
        super().__init__()
        self.pcm = bytearray()
        self.worker = None

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self.pcm += frame.audio
        elif isinstance(frame, TTSStoppedFrame) and self.pcm:
            await self.worker.queue_frame(EndFrame())
        await self.push_frame(frame, direction)


async def main(question, answer):
    context, speaker = LLMContext(), Answer()
    aggregators = LLMContextAggregatorPair(context)
    pipeline = Pipeline([Recording(question), aggregators.user(), model(), speaker, aggregators.assistant()])
    speaker.worker = PipelineWorker(
        pipeline, params=PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE)
    )

    @speaker.worker.event_handler("on_pipeline_error")
    async def give_up(worker, frame):
        await worker.cancel()

    runner = WorkerRunner()
    await runner.add_workers(speaker.worker)
    await runner.run()
    if not speaker.pcm:
        sys.exit("The pipeline ended before there was an answer; the reason is above.")
    with wave.open(str(answer), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(speaker.pcm)
    print(f"{len(speaker.pcm) / 2 / RATE:.1f} s of speech are in {answer}.")


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    arguments = [Path(each) for each in sys.argv[1:3]]
    defaults = [Path(__file__).parents[1] / "question.wav", Path("answer.wav")]
    asyncio.run(main(*arguments, *defaults[len(arguments) :]))
