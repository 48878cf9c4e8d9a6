"""The corpus: conversations with spoken questions, and sentences in nano's own voices.

`questions`: conversations.json and questions.npy (16 kHz), one voice for each conversation.
`answers`: answers.json and answers.npy (24 kHz), each sentence with the question that led to it.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter
from collections.abc import Container
from itertools import accumulate
from pathlib import Path
from typing import Any

from training.corpus.synthesis import Sounds, log, speak_all, write_sounds
from training.corpus.voices import OWN_VOICES, asking_voice
from training.world.conversation import converse
from training.world.exchange import Conversation, Exchange, ToolOffer, ToolUse

HEARD_RATE = 16_000
SPOKEN_RATE = 24_000
LONGEST_ANSWER = 110
"""Characters that nano is taught to say at most."""
_SAME_ANSWER = 12
"""An answer that many questions share is spoken at most so often."""


def questions(folder: Path, name: str, count: int, *, seed: int, held_out: bool) -> None:
    """Make `count` conversations with spoken questions, unless these very ones are there already: of a world
    that has changed since, a Reasoner would be asked what it never learned."""
    rng = random.Random(seed)
    made: list[Conversation] = []
    lines = []
    for _ in range(count):
        conversation = converse(rng, rng.choice((1, 2, 2, 3)), held_out=held_out)
        voice = asking_voice(rng, held_out=held_out)
        made.append(conversation)
        lines += [(exchange.user, voice) for exchange in conversation.exchanges]
    # As JSON tells them: it knows no tuples.
    told = json.loads(json.dumps([dataclasses.asdict(each) for each in made]))
    path = folder / f"{name}.json"
    if (folder / f"{name}.ends.npy").is_file():
        if json.loads(path.read_text())["conversations"] == told:
            return
        log(f"{name}: the world has changed, they are made anew")
    log(f"{name}: {count} conversations, {len(lines)} questions")
    sounds, ends = speak_all(lines, HEARD_RATE)
    path.write_text(json.dumps({"conversations": told, "word_ends": ends}))
    write_sounds(folder / f"{name}.npy", sounds)


def answers(
    folder: Path,
    name: str,
    count: int,
    *,
    seed: int,
    held_out: bool,
    same: int = _SAME_ANSWER,
    kinds: Container[str] | None = None,
) -> None:
    """Make `count` sentences in nano's voices, unless they are there already. No text comes more than `same`
    times, and each is of one of these kinds; None takes any."""
    if (folder / f"{name}.ends.npy").is_file():
        return
    rng = random.Random(seed)
    said: Counter[str] = Counter()
    made: list[dict[str, Any]] = []
    lines = []
    while len(made) < count:
        conversation = converse(rng, rng.choice((1, 1, 1, 2)), held_out=held_out)
        text = conversation.exchanges[-1].answer
        if said[text] >= (1 if held_out else same) or len(text) > LONGEST_ANSWER:
            continue
        if kinds is not None and conversation.exchanges[-1].kind not in kinds:
            continue
        said[text] += 1
        voice = rng.choice(list(OWN_VOICES))
        made.append({"voice": voice, "text": text, "conversation": dataclasses.asdict(conversation)})
        lines.append((text, OWN_VOICES[voice]))
    log(f"{name}: {count} sentences, {len(said)} different ones")
    (folder / f"{name}.json").write_text(json.dumps(made))
    write_sounds(folder / f"{name}.npy", speak_all(lines, SPOKEN_RATE)[0])


def read_conversation(raw: dict[str, Any]) -> Conversation:
    """What `dataclasses.asdict` made of a conversation, as one again."""
    exchanges = tuple(
        Exchange(
            each["kind"],
            each["user"],
            each["answer"],
            tuple(each["more"]),
            ToolUse(**each["use"]) if each["use"] else None,
        )
        for each in raw["exchanges"]
    )
    return Conversation(exchanges, tuple(ToolOffer(**tool) for tool in raw["tools"]))


@dataclasses.dataclass(frozen=True, slots=True)
class Questions:
    """Conversations with spoken questions. Those of conversation `c` are sounds `first[c]` onward."""

    conversations: list[Conversation]
    sounds: Sounds
    word_ends: list[list[int]]
    first: list[int]


def read_questions(folder: Path, name: str) -> Questions:
    """What `questions` made."""
    raw = json.loads((folder / f"{name}.json").read_text())
    conversations = [read_conversation(each) for each in raw["conversations"]]
    first = list(accumulate((len(each.exchanges) for each in conversations), initial=0))
    return Questions(conversations, Sounds(folder / f"{name}.npy"), raw["word_ends"], first)
