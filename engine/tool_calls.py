"""Tool calls in the Reasoner's own text, in the form that Qwen2.5 was taught.

    <tool_call>
    {"name": "get_weather", "arguments": {"city": "Köln"}}
    </tool_call>

Chroma's chat template knows no tools, so what Qwen2.5's own template says of them is said here; a
checkpoint whose template knows them tells of them in its own way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence

from engine.api import Call, CallOutput, EngineError, Message, Request, Tool, ToolCall, ToolChoice

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_SPACE_OR_BEGINNING = re.compile(
    r"\s*(?:" + "|".join(re.escape(OPEN[:length]) for length in range(len(OPEN) - 1, 0, -1)) + r")?\Z"
)


class CallReader:
    """Tells words from calls as an answer's text streams in, cut anywhere.

    What may still turn out to be the beginning of a call is held back, and so is the space before it:
    nothing of a call is ever among the words. After a call come only further calls; whatever else the
    model goes on to say then is dropped, since it has not seen what its calls will answer.

    Args:
        tools: names that may be called. Calls are recognised where there are none too: nobody wants to
            hear their markup.
        words_only: nothing is to be called; the answer ends where the model calls all the same.
    """

    def __init__(self, tools: Collection[str], *, words_only: bool = False) -> None:
        self._tools = tools
        self._words_only = words_only
        self._text = ""
        self._calling = False
        self.called = False
        """A call has begun: no more words come."""
        self.over = False
        """Nothing that follows matters."""

    @property
    def holding(self) -> bool:
        """Some text waits for what comes next."""
        return bool(self._text)

    def add(self, text: str) -> list[str | ToolCall]:
        """More text; the words and whole calls that it completes.

        Raises:
            EngineError: `malformed_tool_call`.
        """
        found: list[str | ToolCall] = []
        self._text += text
        while not self.over and self._step(found):
            pass
        return found

    def rest(self) -> list[str | ToolCall]:
        """The text has ended; what was held back.

        Raises:
            EngineError: `malformed_tool_call`, where it ended in the middle of a call.
        """
        text, self._text = self._text, ""
        if self._calling:
            raise _malformed("the answer ended in the middle of it")
        return [text] if text and not self.called else []

    def _step(self, found: list[str | ToolCall]) -> bool:
        """Take one piece; False where it needs more text."""
        if self._calling:
            body, closed, after = self._text.partition(CLOSE)
            if OPEN in body:
                raise _malformed("another one begins in the middle of it")
            if not closed:
                return False
            found.append(self._read(body))
            self._text, self._calling = after, False
            return True
        before, opened, after = self._text.partition(OPEN)
        if opened:
            if self.called and before.strip():
                self.over = True
                return False
            if words := before.rstrip():
                found += [] if self.called else [words]
            self._text, self._calling, self.called = after, not self._words_only, True
            self.over = self._words_only
            return True
        held = _SPACE_OR_BEGINNING.search(self._text)
        assert held is not None
        words, self._text = self._text[: held.start()], self._text[held.start() :]
        if words and self.called:
            self.over = True
        elif words:
            found.append(words)
        return False

    def _read(self, body: str) -> ToolCall:
        try:
            call = json.loads(body)
        except ValueError as error:
            raise _malformed(f"it is not valid JSON ({error})") from None
        if not isinstance(call, dict) or not isinstance(call.get("name"), str):
            raise _malformed("it is no JSON object with a name")
        name, arguments = call["name"], call.get("arguments", {})
        if name not in self._tools:
            known = ", ".join(sorted(self._tools)) or "none"
            raise _malformed(f"it calls {name[:100]!r}, and the tools are: {known}")
        if not isinstance(arguments, dict):
            raise _malformed("its arguments are no JSON object")
        return ToolCall(name, json.dumps(arguments, ensure_ascii=False))


def call_reader(request: Request) -> CallReader:
    """A reader for the answer to a request."""
    return CallReader(
        [tool.name for tool in request.tools],
        words_only=bool(request.tools) and request.tool_choice.mode == "none",
    )


def _malformed(why: str) -> EngineError:
    return EngineError("malformed_tool_call", f"the model wrote a tool call that cannot be read: {why}")


def forced_text(choice: ToolChoice) -> str:
    """What the answer has to begin with, so that it is sure to be a call. Empty where it need not be."""
    if choice.mode != "required":
        return ""
    opening = f'{OPEN}\n{{"name": "'
    # No space at its end: the model knows one only as the beginning of the token that comes next.
    return f'{opening}{choice.name}", "arguments":' if choice.name else opening


def instruction(tools: Sequence[Tool]) -> tuple[str, str, str]:
    """What a system message ends with: the template's words before the signatures, the signatures, which
    are somebody else's words, and the template's words after them. As Qwen2.5's chat template has it."""
    signatures = "\n".join(
        json.dumps(
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                },
            },
            ensure_ascii=False,
        )
        for tool in tools
    )
    before = (
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
        "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n"
    )
    after = (
        "\n</tools>\n\nFor each function call, return a json object with function name and arguments within"
        f" {OPEN}{CLOSE} XML tags:\n"
        f'{OPEN}\n{{"name": <function-name>, "arguments": <args-json-object>}}\n{CLOSE}'
    )
    return before, signatures, after


def written(call: Call) -> str:
    """A call that was made, as the model wrote it between its marks."""
    return f'{{"name": {json.dumps(call.name, ensure_ascii=False)}, "arguments": {call.arguments or "{}"}}}'


def outputs(message: Message) -> list[str]:
    """What the tools answered in a message."""
    return [part.output for part in message.parts if isinstance(part, CallOutput)]
