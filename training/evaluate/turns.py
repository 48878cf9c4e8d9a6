"""Conversations of nano's world as the messages that a gateway would send."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

from engine.api import Audio, Call, CallOutput, Message, Text, Tool
from training.tokens import typed
from training.world.exchange import Conversation, ToolUse


def in_writing(conversation: Conversation, rng: random.Random) -> list[Message]:
    """Its questions as somebody types them."""
    return [Message("user", (Text(typed(rng, each.user)),)) for each in conversation.exchanges]


def in_sound(conversation: Conversation) -> list[Message]:
    """Its questions as sounds with the ids 0, 1, 2, …; what is heard of them is told elsewhere."""
    return [Message("user", (Audio(str(turn), b""),)) for turn in range(len(conversation.exchanges))]


def offered(conversation: Conversation) -> list[Tool]:
    """The conversation's functions with their schemas."""
    tools = []
    for tool in conversation.tools:
        properties: dict[str, Any] = {tool.parameter: {"type": "string"}} if tool.parameter else {}
        schema = {"type": "object", "properties": properties, "required": list(properties)}
        tools.append(Tool(tool.name, parameters=schema))
    return tools


def used(use: ToolUse) -> list[Message]:
    """A call and what came back."""
    arguments = json.dumps(use.arguments, ensure_ascii=False)
    return [
        Message("assistant", (Call(use.name, arguments),)),
        Message("tool", (CallOutput(use.output),)),
    ]


def up_to(conversation: Conversation, turn: int, asked: Sequence[Message]) -> list[Message]:
    """All that was said up to question `turn`, that question included, with the right answers.

    Args:
        asked: each question of the conversation as a message.
    """
    messages = []
    for exchange, question in zip(conversation.exchanges[:turn], asked, strict=False):
        messages.append(question)
        messages += used(exchange.use) if exchange.use else []
        messages.append(Message("assistant", (Text(exchange.answer),)))
    return [*messages, asked[turn]]
