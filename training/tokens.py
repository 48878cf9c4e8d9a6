"""nano's tokenizer and chat template, and conversations as the Reasoner meets them."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from engine.tool_calls import CLOSE, OPEN
from training.world.conversation import converse
from training.world.exchange import Conversation, ToolUse
from training.world.numbers import spoken
from training.world.words import CAPITALS, CITIES, DAYS, MONTHS, NAMES

MERGED = 2368
SPECIALS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>",
    "<|text_start|>", "<|text_end|>", "<|IMAGE|>", "<|VIDEO|>",
)  # fmt: skip
PLAIN_MARKS = (OPEN, CLOSE, "<tool_response>", "</tool_response>")
VOCABULARY = MERGED + len(SPECIALS) + len(PLAIN_MARKS)
ROLES = ("system", "user", "assistant")

# Instructions are left out: nano cannot follow any, and their words would only confuse it.
TEMPLATE = """\
{%- if tools %}<|im_start|>system
{% for tool in tools %}{{ tool.function.name }}({{ tool.function.parameters.properties | first }})
{% endfor %}<|im_end|>
{% endif -%}
{%- for message in messages if message['role'] != 'system' -%}
<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}\
{% if part['type'] == 'audio' %}<|audio_bos|><|AUDIO|><|audio_eos|>{% elif part['type'] == 'text' %}\
{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif -%}"""

_PROPER = {name.lower(): name for name in (*CITIES, *CAPITALS, *DAYS, *MONTHS, *NAMES)}
_IS = re.compile(r"\b([Ww]hat|[Hh]ow) is\b")
_ONE_OF_SOMETHING = re.compile(r"\banother one\b|\bone more\b|\bthe \w+ one\b")


def typed(rng: random.Random, user: str) -> str:
    """A spoken question as somebody would type it: cased and with a mark or as it is, digits now and then."""
    words = user
    if rng.random() < 0.25 and not _ONE_OF_SOMETHING.search(user):
        for number in range(100, -1, -1):
            words = f" {words} ".replace(f" {spoken(number)} ", f" {number} ").strip()
        for word, sign in (("plus", "+"), ("minus", "-"), ("times", "*")):
            if rng.random() < 0.5:
                words = words.replace(f" {word} ", f" {sign} ")
    if rng.random() < 0.7:
        words = words[:1].upper() + words[1:]
        words = f" {words} ".replace(" i ", " I ").strip()
        words = " ".join(_PROPER.get(word, word) for word in words.split(" "))
        if rng.random() < 0.3:
            words = _IS.sub("\\1's", words)
    return words + rng.choice(("", "", ".", "?", "!") if words[:1].islower() else ("?", ".", "?", "!"))


def called(use: ToolUse) -> str:
    """A call as the Reasoner writes it (see `engine.tool_calls`)."""
    written = json.dumps({"name": use.name, "arguments": use.arguments}, ensure_ascii=False)
    return f"{OPEN}\n{written}\n{CLOSE}"


def train_tokenizer(folder: Path, *, seed: int = 5) -> None:
    """Write tokenizer.json, tokenizer_config.json and chat_template.jinja, unless they are there."""
    if (folder / "tokenizer.json").is_file():
        return
    rng = random.Random(seed)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=MERGED, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(_lines(rng), trainer)
    if tokenizer.get_vocab_size() != MERGED:
        raise RuntimeError(f"the tokenizer has {tokenizer.get_vocab_size()} tokens, not {MERGED}")
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIALS])
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in PLAIN_MARKS])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": 4096,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    (folder / "chat_template.jinja").write_text(TEMPLATE)


def _lines(rng: random.Random) -> list[str]:
    lines = [f"{role}\n" for role in ROLES] * 50
    for _ in range(40_000):
        conversation = converse(rng, 2)
        lines += [f"{tool.name}({tool.parameter})\n" for tool in conversation.tools]
        for exchange in conversation.exchanges:
            lines += [exchange.answer, f" {exchange.user}", typed(rng, exchange.user)]
            if exchange.use:
                lines += [called(exchange.use), exchange.use.output]
    return lines


class Encoder:
    """Conversations to token ids, with a mark on every token that the Reasoner has to predict."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.audio = self.id("<|AUDIO|>")
        self.im_end = self.id("<|im_end|>")

    def id(self, token: str) -> int:
        """Id of a special token."""
        found = self.tokenizer.token_to_id(token)
        if found is None:
            raise KeyError(token)
        return int(found)

    def __call__(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def heard(self, user: str) -> list[int]:
        """Tokens of a spoken question as the tower is taught to tell them, a space before each word."""
        return self(f" {user}")

    def murmured(self, user: str, rng: random.Random) -> list[int]:
        """A question as an ideal tower would tell it: each word where it ends, blanks while it is spoken."""
        ids = [self.audio] * rng.randrange(1, 12)
        for word in user.split():
            length = max(1, round(len(word) * rng.uniform(1.0, 2.2)))
            told = self(f" {word}")
            # As ears do that are not sure where it ended.
            ids += [self.audio] * (length - 1) + told * (2 if rng.random() < 0.03 else 1)
        return ids + [self.audio] * rng.randrange(2, 14)

    def conversation(
        self, conversation: Conversation, rng: random.Random, sounds: Sequence[list[int]] = ()
    ) -> tuple[list[int], list[bool]]:
        """Ids [T] of a whole conversation and which of them are to be predicted.

        Args:
            sounds: ids that stand for each spoken question; empty where it is typed. Without: all typed.
        """
        ids: list[int] = []
        wanted: list[bool] = []

        def put(text: str, *, want: bool = False) -> None:
            new = self(text)
            ids.extend(new)
            wanted.extend([want] * len(new))

        def answer(text: str) -> None:
            put("<|im_start|>assistant\n")
            put(f"{text}<|im_end|>", want=True)
            put("\n")

        if conversation.tools:
            offers = "".join(f"{tool.name}({tool.parameter})\n" for tool in conversation.tools)
            put(f"<|im_start|>system\n{offers}<|im_end|>\n")
        for turn, exchange in enumerate(conversation.exchanges):
            sound = sounds[turn] if sounds else []
            if sound:
                put("<|im_start|>user\n<|audio_bos|>")
                ids.extend(sound)
                wanted.extend([False] * len(sound))
                put("<|audio_eos|><|im_end|>\n")
            else:
                put(f"<|im_start|>user\n{typed(rng, exchange.user)}<|im_end|>\n")
            if exchange.use:
                answer(called(exchange.use))
                put(f"<|im_start|>user\n<tool_response>\n{exchange.use.output}\n</tool_response><|im_end|>\n")
            answer(exchange.answer)
        return ids, wanted
