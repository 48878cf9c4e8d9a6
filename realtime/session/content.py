"""One part of a message: words, or sound with its transcript."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import Any, Literal

import pybase64

from engine import FRAME_SAMPLES, FRAMES_PER_TEXT_TOKEN
from realtime.audio.formats import SoundEncoder

BYTES_PER_MS = 48
"""PCM16 mono at 24 kHz."""
_BYTES_PER_CHARACTER = 65 * BYTES_PER_MS
"""What a written character takes to be said: about 15 a second."""
_FRAME_BYTES = 2 * FRAME_SAMPLES
_LONGEST_WORD = 30
"""Characters. What runs on for longer is no word: some languages write no spaces."""

Kind = Literal["input_text", "input_audio", "output_text", "output_audio"]


@dataclass(slots=True)
class Content:
    """Words (`text`), or sound (`pcm`) with its transcript in `text`.

    `audio_id` names the sound towards the engine. `format` is how the client is given it, `speed` how much
    faster than made it was played to the client. `made` counts the bytes of sound there ever were, `limit`
    is how many of them are kept (None: all), `whole` says that words and sound are both complete.
    """

    kind: Kind
    text: str | None = None
    pcm: bytes | bytearray = b""
    audio_id: str = ""
    whole: bool = True
    format: str = "audio/pcm"
    speed: float = 1.0
    made: int = field(init=False)
    limit: int | None = field(init=False, default=None)
    _tokens: int = field(init=False, default=0)
    _marks: list[tuple[int, int]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.made = len(self.pcm)

    @property
    def spoken(self) -> bool:
        return self.kind in ("input_audio", "output_audio")

    def add_text(self, text: str, tokens: int) -> None:
        """More words of an answer in the making, made of so many of the model's tokens."""
        self.text = (self.text or "") + text
        self._marks.append((self._tokens, len(self.text)))
        self._tokens += tokens

    def add_sound(self, pcm: bytes) -> None:
        """More sound of an answer in the making; what lies beyond a truncation is not kept."""
        assert isinstance(self.pcm, bytearray)
        self.made += len(pcm)
        self.pcm += pcm
        self._cut()

    def truncate(self, audio_end_ms: int) -> None:
        """Keep at most the first `audio_end_ms` of what was played, and of the transcript what was said by
        then. Nothing comes back: a later, larger mark changes nothing."""
        keep = int(audio_end_ms * self.speed) * BYTES_PER_MS
        if self.whole and keep >= self.made:
            return
        self.limit = keep if self.limit is None else min(self.limit, keep)
        self._cut()

    def _cut(self) -> None:
        if self.limit is not None and len(self.pcm) > self.limit:
            self.pcm = self.pcm[: self.limit]

    def let_go(self) -> None:
        """Keep the words alone."""
        self.pcm, self.audio_id = b"", ""

    def kept_text(self) -> str:
        """The words, up to where they were truncated, down to a whole word where words can be told.

        Two bounds, of which the tighter holds. The schedule: a token is not spoken before its frame, so
        words whose frames were not heard were not said. The share: the part of the sound that was kept is
        about the part of the words that was said; for an answer cut off while it was made, the length of
        all its sound is estimated from its words.
        """
        text = self.text or ""
        if self.limit is None:
            return text
        total = self.made
        if not self.whole:
            spoken = self._tokens * FRAMES_PER_TEXT_TOKEN * _FRAME_BYTES
            total = max(total, spoken, len(text) * _BYTES_PER_CHARACTER)
        if self.limit >= total:
            return text
        end = min(len(text) * self.limit // total, self._scheduled(self.limit))
        word = end
        while word and not (_stands_alone(text[word]) or _stands_alone(text[word - 1])):
            word -= 1
        return text[: word if end - word < _LONGEST_WORD else end].rstrip()

    def _scheduled(self, sound: int) -> int:
        """Characters that can have been begun in the first so many bytes of sound."""
        frames = -(-sound // _FRAME_BYTES)
        tokens = -(-frames // FRAMES_PER_TEXT_TOKEN)
        return max((end for begin, end in self._marks if begin < tokens), default=0)

    def describe(self, *, with_audio: bool = False) -> dict[str, Any]:
        """This part as items show it."""
        if not self.spoken:
            return {"type": self.kind, "text": self.text or ""}
        # A user's sound has no transcript until one is made; the key has to be there all the same.
        transcript = self.text if self.kind == "input_audio" else self.kept_text()
        shown: dict[str, Any] = {"type": self.kind, "transcript": transcript}
        if with_audio and (self.pcm or not self.made):
            encoder = SoundEncoder(self.format)
            shown["audio"] = pybase64.b64encode(encoder.add(bytes(self.pcm)) + encoder.flush()).decode()
        return shown


def _stands_alone(character: str) -> bool:
    """A word may begin or end beside it: a space, or one of East Asia's wide characters."""
    return character.isspace() or unicodedata.east_asian_width(character) in "WF"
