"""Text in and out of the Reasoner: the chat prompt, and tokens to words as they come."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerFast

from engine.api import Audio, Call, EngineError, Message, Text, Tool
from engine.tool_calls import CLOSE, OPEN, instruction, outputs, written

_SENTINEL = "\ue000{}\ue001"
_SENTINELS = re.compile("\ue000(\\d+)\ue001")
_REPLACEMENT = "�"
_KNOWS_TOOLS = re.compile(r"\btools\b")
_SCHEMA_WORDS = frozenset((
    "type", "properties", "required", "items", "enum", "description", "default", "additionalProperties",
    "object", "string", "number", "integer", "boolean", "array", "null",
))  # fmt: skip
"""What a template may look for in a JSON Schema. None of it is a special token, whoever wrote it."""


def load_tokenizer(folder: Path) -> Any:
    """The checkpoint's tokenizer with its chat template.

    Raises:
        EngineError: `checkpoint_unreadable`.
    """
    try:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    except (OSError, ValueError, KeyError) as error:
        first = str(error).splitlines()[0]
        raise EngineError("checkpoint_unreadable", f"{folder}: no usable tokenizer: {first}") from None
    if not tokenizer.chat_template:
        raise EngineError("checkpoint_unreadable", f"{folder}: the tokenizer has no chat template")
    return tokenizer


class ChatPrompt:
    """Conversations to token ids by the checkpoint's own chat template."""

    def __init__(self, tokenizer: Any, audio_token: int) -> None:
        self._tokenizer = tokenizer
        self._audio_token = audio_token
        self._knows_tools = bool(_KNOWS_TOOLS.search(tokenizer.get_chat_template(tools=[])))

    def __call__(
        self, messages: Sequence[Message], heard: Callable[[Audio], int], tools: Sequence[Tool] = ()
    ) -> list[int]:
        """Token ids of a conversation, up to where the assistant's next words begin.

        The words of a conversation are never read as special tokens: the template is rendered around
        stand-ins, and each piece of text is encoded for itself.

        Args:
            messages: the conversation.
            heard: how many embeddings a piece of sound has; that many audio tokens stand in for it.
            tools: what may be called: told by the template where it knows of tools, else at the end of
                the system message.
        """
        draft = _Draft(heard)
        for message in messages:
            draft.add(message)
        if tools and not self._knows_tools:
            draft.instruct(tools)
        rendered = self._tokenizer.apply_chat_template(
            draft.chat,
            tools=draft.signatures(tools) if tools and self._knows_tools else None,
            add_generation_prompt=True,
            tokenize=False,
        )
        texts = list(draft.texts)
        ids: list[int] = []
        for index, piece in enumerate(_SENTINELS.split(rendered)):
            ids += self.plain(texts[int(piece)]) if index % 2 else self.markup(piece)
        return self._spread(ids, draft.sounds)

    @cached_property
    def follows_instructions(self) -> bool:
        """A template that leaves system messages out, or refuses them, is that of a model that was never
        instructed."""
        draft = _Draft(lambda _: 0)
        draft.add(Message("system", (Text("instruction"),)))
        draft.add(Message("user", (Text("words"),)))
        try:
            rendered = self._tokenizer.apply_chat_template(draft.chat, tokenize=False)
        except TemplateError:
            return False
        return _SENTINEL.format(draft.texts["instruction"]) in rendered

    def markup(self, text: str) -> list[int]:
        """Token ids of the template's own words, special tokens among them."""
        return self._tokenizer(text, add_special_tokens=False)["input_ids"] if text else []

    def plain(self, text: str) -> list[int]:
        """Token ids of somebody's words, none of them special."""
        if not text:
            return []
        return self._tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]

    def _spread(self, ids: list[int], sounds: list[int]) -> list[int]:
        """Repeat the template's one audio token for each embedding of the sound it stands for."""
        counts = iter(sounds)
        spread: list[int] = []
        for token in ids:
            spread += [token] * (next(counts) if token == self._audio_token else 1)
        return spread


class _Draft:
    """A conversation in the template's form. Whatever is not the template's own stands in `texts`, by its
    place there."""

    def __init__(self, heard: Callable[[Audio], int]) -> None:
        self.chat: list[dict[str, Any]] = []
        self.texts: dict[str, int] = {}
        self.sounds: list[int] = []
        self._heard = heard

    def add(self, message: Message) -> None:
        """One more message. What tools answer is a turn of the user's, answers in a row one turn."""
        if message.role == "tool":
            marked = "\n".join(
                f"<tool_response>\n{self._hide(output)}\n</tool_response>" for output in outputs(message)
            )
            if self.chat and self.chat[-1].get("tools"):
                self.chat[-1]["content"].append({"type": "text", "text": f"\n{marked}"})
            else:
                self.chat.append(
                    {"role": "user", "tools": True, "content": [{"type": "text", "text": marked}]}
                )
            return
        parts: list[dict[str, str]] = []
        for part in message.parts:
            if isinstance(part, Audio):
                parts.append({"type": "audio", "audio": part.id})
                self.sounds.append(self._heard(part))
            elif isinstance(part, Text):
                parts.append({"type": "text", "text": self._hide(part.text)})
            elif isinstance(part, Call):
                between = "\n" if parts else ""
                marked = f"{between}{OPEN}\n{self._hide(written(part))}\n{CLOSE}"
                parts.append({"type": "text", "text": marked})
        self.chat.append({"role": message.role, "content": parts})

    def instruct(self, tools: Sequence[Tool]) -> None:
        """Tell of tools at the end of the system message."""
        before, signatures, after = instruction(tools)
        text = f"{before}{self._hide(signatures)}{after}"
        if not self.chat or self.chat[0]["role"] != "system":
            self.chat.insert(0, {"role": "system", "content": [{"type": "text", "text": text}]})
        else:
            self.chat[0]["content"].append({"type": "text", "text": f"\n\n{text}"})

    def signatures(self, tools: Sequence[Tool]) -> list[dict[str, Any]]:
        """Tools as templates take them. Each has `properties`, the required ones first: a template may show
        no more than the first of them."""
        functions = []
        for tool in tools:
            properties, required = (tool.parameters.get(key) for key in ("properties", "required"))
            properties = properties if isinstance(properties, dict) else {}
            required = required if isinstance(required, list) else []
            first = [name for name in properties if name in required]
            ordered = {name: properties[name] for name in [*first, *properties]}
            schema = {"type": "object", **tool.parameters, "properties": ordered}
            function = {
                "name": self._sealed(tool.name),
                "description": self._sealed(tool.description),
                "parameters": self._sealed(schema),
            }
            functions.append({"type": "function", "function": function})
        return functions

    def _sealed(self, value: Any) -> Any:
        """JSON with each of its strings hidden as JSON spells it, which is how templates show it; equal
        strings stay equal."""
        if isinstance(value, str):
            spelled = json.dumps(value, ensure_ascii=False)[1:-1]
            return value if value in _SCHEMA_WORDS else self._hide(spelled)
        if isinstance(value, dict):
            return {self._sealed(key): self._sealed(each) for key, each in value.items()}
        return [self._sealed(each) for each in value] if isinstance(value, list) else value

    def _hide(self, text: str) -> str:
        place = self.texts.setdefault(_SENTINELS.sub("", text), len(self.texts))
        return _SENTINEL.format(place)


class Words:
    """Tokens to text as they come: no half of a character is given out, and no special token."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._begin = 0
        self._given = 0

    def add(self, token: int) -> str:
        """The text that this token completes; empty while a character is still open."""
        self._tokens.append(token)
        text = self._new()
        if not text or text.endswith(_REPLACEMENT):
            return ""
        return self._give(text)

    def rest(self) -> str:
        """What the end of the text leaves over, an open character as a replacement character."""
        return self._give(self._new())

    def _new(self) -> str:
        # Decoding from a little before the new tokens keeps the space before a word.
        before = self._decode(self._tokens[self._begin : self._given])
        return self._decode(self._tokens[self._begin :])[len(before) :]

    def _give(self, text: str) -> str:
        self._begin, self._given = self._given, len(self._tokens)
        return text

    def _decode(self, tokens: list[int]) -> str:
        return self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
