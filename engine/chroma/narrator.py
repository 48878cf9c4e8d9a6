"""What the frame loop does for one answer, told as the events of the wall; and what of its text is spoken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from engine.api import AudioDelta, EngineError, Event, Finished, TextDelta, Usage
from engine.chroma.model import ChromaModel
from engine.chroma.reasoner import Thought
from engine.chroma.speaker import Pair, Spoken
from engine.chroma.text import Words
from engine.runtime.job import Job, Reason, Said
from engine.tool_calls import CallReader

Emit = Callable[[Event], None]


class Narrator:
    """Listens to one job. Pairs of tokens that may belong to a call are held back until that is known; those
    of a call are never spoken, and what was said before it is spoken to its end."""

    def __init__(self, chroma: ChromaModel, job: Job, calls: CallReader, emit: Emit) -> None:
        self._chroma = chroma
        self._emit = emit
        self._calls = calls
        self._words = Words(chroma.tokenizer)
        self._im_end = job.prompt.im_end
        self._prompt = job.prompt.ids
        self._audio_in = self._prompt.count(chroma.config.audio_token)
        self._text_in = len(self._prompt) - self._audio_in
        self._cached_audio = self._cached_text = 0
        self._tokens = 0
        self._told = 0
        self._begun = False
        self._frames = 0
        self._held: list[Pair] = []
        self._spoke = False
        self._ended = False

    def usage(self) -> Usage:
        """What the answer has cost so far."""
        return Usage(
            input_text_tokens=self._text_in,
            input_audio_tokens=self._audio_in,
            cached_text_tokens=self._cached_text,
            cached_audio_tokens=self._cached_audio,
            output_text_tokens=self._tokens,
            output_audio_tokens=self._frames,
        )

    def begun(self, kept: int) -> None:
        self._cached_audio = self._prompt[:kept].count(self._chroma.config.audio_token)
        self._cached_text = kept - self._cached_audio

    def thought(self, thought: Thought) -> Said:
        self._tokens += 1
        text = "" if thought.token == self._im_end else self._words.add(thought.token)
        last = thought.pair.last
        if last:
            text += self._words.rest()
        if not self._begun:
            # A word's own space is none before the first word.
            text = text.lstrip()
            self._begun = bool(text)
        found = self._calls.add(text)
        if last and not self._calls.over:
            found += self._calls.rest()
        for one in found:
            tokens, self._told = self._tokens - self._told, self._tokens
            self._emit(TextDelta(one, tokens) if isinstance(one, str) else replace(one, tokens=tokens))
        if self._ended:
            return Said(over=self._calls.over)
        self._held.append(thought.pair)
        if self._calls.called:
            return self._end_speech()
        if self._calls.holding and not last:
            return Said()
        pairs, self._held = tuple(self._held), []
        self._spoke = True
        return Said(pairs)

    def _end_speech(self) -> Said:
        """A call begins: what was said so far is all that is said."""
        self._ended = True
        first, self._held = self._held[0], []
        if not self._spoke:
            return Said(silent=True, over=self._calls.over)
        # As if the model had ended its text where it began to call.
        end = self._chroma.reasoner.embed([self._im_end])[0]
        pair = Pair(torch.stack((first.rows[0], end.to(first.rows.dtype))), last=True)
        return Said((pair,), over=self._calls.over)

    def spoken(self, spoken: Spoken) -> None:
        self._frames += 1
        self._emit(AudioDelta(spoken.pcm))

    def finished(self, reason: Reason, error: EngineError | None) -> None:
        self._emit(
            Finished(
                reason,
                self.usage(),
                code=error.code if error else None,
                message=error.message if error else None,
            )
        )
