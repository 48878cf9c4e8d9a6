"""The Reasoner: how often its answer is the right one to the letter, asked by voice and in writing.

What was said before a question is given as it should have been: right answers, and in the spoken run the
sounds of earlier questions. Where a function has to be called, the call must be right, and then the answer
to what the function returned.
"""

from __future__ import annotations

import functools
import json
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from engine.api import Message
from training.corpus.build import HEARD_RATE, Questions
from training.corpus.synthesis import speak_all
from training.corpus.voices import asking_voice
from training.evaluate.nano import Answer, Nano
from training.evaluate.turns import in_sound, in_writing, offered, up_to, used
from training.world.conversation import converse
from training.world.exchange import Conversation, Exchange, ToolUse

_WRONG_SHOWN = 20
_SILENCE = (0.1, 0.5)
"""Seconds of silence before and after a question, drawn between these."""

Heard = Mapping[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Spoken:
    """Conversations, and the sounds [samples] of their questions at 16 kHz."""

    conversations: list[Conversation]
    sounds: list[list[np.ndarray]]


def from_corpus(questions: Questions, count: int) -> Spoken:
    """The first so many conversations of a corpus."""
    conversations = questions.conversations[:count]
    sounds = [
        [questions.sounds[first + turn] for turn in range(len(each.exchanges))]
        for first, each in zip(questions.first, conversations, strict=False)
    ]
    return Spoken(conversations, sounds)


def known_voices(count: int, seed: int) -> Spoken:
    """New conversations in held-out wordings, asked by voices that training has heard."""
    rng = random.Random(seed)
    conversations = [converse(rng, rng.choice((1, 2, 2, 3)), held_out=True) for _ in range(count)]
    lines = []
    for conversation in conversations:
        voice = asking_voice(rng, held_out=False)
        lines += [(exchange.user, voice) for exchange in conversation.exchanges]
    sounds = iter(speak_all(lines, HEARD_RATE)[0])
    return Spoken(conversations, [[next(sounds) for _ in each.exchanges] for each in conversations])


@functools.cache
def asked_in_training(conversations: int = 20_000) -> frozenset[str]:
    """Questions of so many conversations in trained wordings: what has no slot to fill is surely among them.

    A greeting is the same in every wording set, so that asking it proves nothing about new wordings.
    """
    rng = random.Random(8)
    return frozenset(each.user for _ in range(conversations) for each in converse(rng, 3).exchanges)


def listen(nano: Nano, sounds: Sequence[np.ndarray], rng: np.random.Generator) -> dict[str, torch.Tensor]:
    """What the tower makes of some sounds, a little silence around each, by the ids of `in_sound`."""
    heard = {}
    for turn, sound in enumerate(sounds):
        around = tuple(int(seconds * HEARD_RATE) for seconds in rng.uniform(*_SILENCE, size=2))
        heard[str(turn)] = nano.chroma.hearing.hear(np.pad(sound, around))
    return heard


def by_voice(nano: Nano, spoken: Spoken) -> dict[str, Any]:
    """Figures with every question spoken."""
    rng = np.random.default_rng(3)
    tally = _Tally()
    table = nano.chroma.reasoner.embed(list(range(len(nano.chroma.tokenizer))))
    for conversation, sounds in zip(spoken.conversations, spoken.sounds, strict=True):
        heard = listen(nano, sounds, rng)
        told = [_told(nano, sound, table) for sound in heard.values()]
        _ask_all(nano, conversation, in_sound(conversation), heard, told, tally)
    return tally.figures()


def by_text(nano: Nano, spoken: Spoken) -> dict[str, Any]:
    """Figures with every question typed."""
    tally = _Tally()
    rng = random.Random(4)
    for conversation in spoken.conversations:
        asked = in_writing(conversation, rng)
        written = [str(getattr(message.parts[0], "text", "")) for message in asked]
        _ask_all(nano, conversation, asked, {}, written, tally)
    return tally.figures()


@dataclass(slots=True)
class _Tally:
    asked: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    right: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    new: list[bool] = field(default_factory=list)
    """Of each question that training does not ask word for word: was the answer right?"""
    wrong: list[dict[str, str]] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        kinds = {
            kind: {"n": count, "right": self.right[kind], "rate": self.right[kind] / count}
            for kind, count in sorted(self.asked.items())
        }
        n, right = sum(self.asked.values()), sum(self.right.values())
        # Spread over the whole set, not the first ones.
        step = max(1, len(self.wrong) // _WRONG_SHOWN)
        shown = self.wrong[::step][:_WRONG_SHOWN]
        new = {"n": len(self.new), "right": sum(self.new), "rate": sum(self.new) / max(1, len(self.new))}
        return {"n": n, "right": right, "rate": right / max(1, n), "new": new, "kinds": kinds, "wrong": shown}


def _ask_all(
    nano: Nano, conversation: Conversation, asked: list[Message], heard: Heard, told: list[str], tally: _Tally
) -> None:
    for turn, exchange in enumerate(conversation.exchanges):
        messages = up_to(conversation, turn, asked)
        wanted, got = _answer(nano, conversation, exchange, messages, heard)
        tally.asked[exchange.kind] += 1
        tally.right[exchange.kind] += wanted == got
        if exchange.user not in asked_in_training():
            tally.new.append(wanted == got)
        if wanted != got:
            wrong = {"kind": exchange.kind, "asked": exchange.user, "heard": told[turn]}
            tally.wrong.append({**wrong, "wanted": wanted, "got": got})


def _answer(
    nano: Nano, conversation: Conversation, exchange: Exchange, messages: list[Message], heard: Heard
) -> tuple[str, str]:
    """What was wanted and what came, at the first step where they differ."""
    tools = offered(conversation)
    if exchange.use:
        wanted, got = _call(exchange.use), _said(nano.answer(messages, heard, tools))
        if wanted != got:
            return wanted, got
        messages = [*messages, *used(exchange.use)]
    return exchange.answer.strip(), _said(nano.answer(messages, heard, tools))


def _call(use: ToolUse) -> str:
    return f"{use.name}({json.dumps(use.arguments, sort_keys=True)})"


def _said(answer: Answer) -> str:
    """An answer as one line: its words, its calls, and how it ended where that is not as it should."""
    calls = [_call(ToolUse(call.name, json.loads(call.arguments), "")) for call in answer.calls]
    ended = [] if answer.reason == "completed" else [f"[{answer.problem or answer.reason}]"]
    return " ".join([part for part in (answer.text.strip(), *calls) if part] + ended)


def _told(nano: Nano, sound: torch.Tensor, table: torch.Tensor) -> str:
    """The tokens whose embeddings are nearest to what the tower made, without the blanks."""
    nearest = torch.cdist(sound.float(), table.float()).argmin(1).tolist()
    words = [token for token in nearest if token != nano.chroma.config.audio_token]
    return str(nano.chroma.tokenizer.decode(words)).strip()
