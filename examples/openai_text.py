"""Text in, text out, with the openai package: python examples/openai_text.py ["Your words."]"""

import asyncio
import os
import sys

from openai import AsyncOpenAI


async def main(words):
    client = AsyncOpenAI(
        api_key=os.environ.get("OPENAI_API_KEY", "unused"),
        base_url=os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1"),
    )
    async with client.realtime.connect(model="chroma") as connection:
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        await connection.conversation.item.create(
            item={
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": words}],
            }
        )
        await connection.response.create()
        async for event in connection:
            if event.type == "response.output_text.delta":
                print(event.delta, end="", flush=True)
            elif event.type == "response.done":
                print()
                break
            elif event.type == "error":
                sys.exit(event.error.message)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:2] or ["What is a taco made of?"]))
