"""Speech in, speech out, with the openai package.

python examples/openai_speech.py [QUESTION.wav] [ANSWER.wav]

The recording (PCM16, mono, 24 kHz) is sent as a microphone would send it. The server finds the end of the
turn and answers; `OPENAI_BASE_URL` says where it is.
"""

import asyncio
import base64
import os
import sys
import wave
from pathlib import Path

from openai import AsyncOpenAI

RATE = 24_000
CHUNK_S = 0.04


async def speak(connection, question):
    """Send the recording at the pace at which it was spoken, then silence, as a microphone would."""
    with wave.open(str(question)) as file:
        if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, RATE):
            sys.exit(f"{question} has to be PCM16, mono, 24 kHz: sox {question} -r 24000 -c 1 -b 16 new.wav")
        pcm = file.readframes(file.getnframes())
    step = int(RATE * CHUNK_S) * 2
    for start in range(0, len(pcm), step):
        await connection.input_audio_buffer.append(audio=base64.b64encode(pcm[start : start + step]).decode())
        await asyncio.sleep(CHUNK_S)
    while True:
        await connection.input_audio_buffer.append(audio=base64.b64encode(bytes(step)).decode())
        await asyncio.sleep(CHUNK_S)


async def main(question, answer):
    client = AsyncOpenAI(
        api_key=os.environ.get("OPENAI_API_KEY", "unused"),
        base_url=os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1"),
    )
    async with client.realtime.connect(model="chroma") as connection:
        await connection.session.update(
            session={"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad"}}}}
        )
        microphone = asyncio.create_task(speak(connection, question))
        sound = bytearray()
        async for event in connection:
            if event.type == "input_audio_buffer.speech_stopped":
                print("The server heard the end of the turn.")
            elif event.type == "response.output_audio_transcript.delta":
                print(event.delta, end="", flush=True)
            elif event.type == "response.output_audio.delta":
                sound += base64.b64decode(event.delta)
            elif event.type == "response.done":
                break
            elif event.type == "error":
                sys.exit(event.error.message)
        microphone.cancel()
    with wave.open(str(answer), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound)
    print(f"\n{len(sound) / 2 / RATE:.1f} s of speech are in {answer}.")


if __name__ == "__main__":
    arguments = [Path(each) for each in sys.argv[1:3]]
    defaults = [Path(__file__).with_name("question.wav"), Path("answer.wav")]
    asyncio.run(main(*arguments, *defaults[len(arguments) :]))
