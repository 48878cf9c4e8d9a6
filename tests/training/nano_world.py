"""What tests of nano's training share: the tokenizer that is kept, and a few conversations."""

import random
from pathlib import Path

from training.tokens import Encoder
from training.world.conversation import converse
from training.world.exchange import Conversation, Exchange, ToolOffer, ToolUse

KEPT = Path(__file__).parents[2] / "training" / "kept" / "nano"

WEATHER = Conversation(
    (
        Exchange("greetings", "hello", "Hello! I am Nano. How can I help you?"),
        Exchange(
            "tools",
            "how is the weather in rome",
            "It is sunny in Rome.",
            use=ToolUse("get_weather", {"city": "Rome"}, '{"weather": "sunny"}'),
        ),
    ),
    (ToolOffer("get_weather", "city"), ToolOffer("get_time")),
)
"""A conversation with functions on offer, one of which is called."""


def encoder() -> Encoder:
    return Encoder(KEPT)


def conversations(count: int, seed: int, *, turns: int = 3, held_out: bool = False) -> list[Conversation]:
    rng = random.Random(seed)
    return [converse(rng, turns, held_out=held_out) for _ in range(count)]
