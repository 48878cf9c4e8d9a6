"""A tool that the model may call, with the openai package: python examples/openai_tools.py ["Your words."]"""

import asyncio
import json
import os
import sys
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from openai import AsyncOpenAI

TOOL = {
    "type": "function",
    "name": "get_time",
    "description": "The time of day in a time zone.",
    "parameters": {
        "type": "object",
        "properties": {"zone": {"type": "string", "description": "such as Europe/Paris"}},
        "required": ["zone"],
    },
}


def get_time(zone):
    try:
        return f"It is {datetime.now(ZoneInfo(zone)):%H:%M} in {zone}."
    except (ZoneInfoNotFoundError, ValueError):
        return f"There is no time zone {zone}."


async def main(words):
    client = AsyncOpenAI(
        api_key=os.environ.get("OPENAI_API_KEY", "unused"),
        base_url=os.environ.get("OPENAI_BASE_URL", "http://127.0.0.1:8000/v1"),
    )
    async with client.realtime.connect(model="chroma") as connection:
        await connection.session.update(
            session={"type": "realtime", "output_modalities": ["text"], "tools": [TOOL]}
        )
        await connection.conversation.item.create(
            item={
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": words}],
            }
        )
        await connection.response.create()
        async for event in connection:
            if event.type == "error":
                sys.exit(event.error.message)
            if event.type != "response.done":
                continue
            calls = [item for item in event.response.output if item.type == "function_call"]
            for item in event.response.output:
                if item.type == "message":
                    print(item.content[0].text)
            for call in calls:
                output = get_time(**json.loads(call.arguments))
                print(f"{call.name}({call.arguments}) -> {output}")
                await connection.conversation.item.create(
                    item={"type": "function_call_output", "call_id": call.call_id, "output": output}
                )
            if not calls:
                break
            # The answer that makes use of what the tool said.
            await connection.response.create()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:2] or ["What time is it in Paris?"]))
