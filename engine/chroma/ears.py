"""All sounds of all conversations as the Reasoner hears them, each made once: whole, or while it arrives."""

from __future__ import annotations

from dataclasses import dataclass

from engine.api import Audio, Message, Request
from engine.chroma.hearing import Heard, joined
from engine.chroma.listening import Listening
from engine.chroma.model import ChromaModel
from engine.chroma.reasoner import ReasonerPrompt


@dataclass(slots=True)
class _Arriving:
    """A sound that is still being spoken, and the request that will end with it; None where that is no longer
    known."""

    listening: Listening
    before: Request | None


class Ears:
    """Keeps what was heard by the sound's id, until `forget`."""

    def __init__(self, chroma: ChromaModel) -> None:
        self._chroma = chroma
        self._heard: dict[str, Heard] = {}
        self._arriving: dict[str, _Arriving] = {}

    def hear(self, sound: Audio) -> Heard:
        """What is heard of a sound; only what `hear_more` has not heard of it is left to do."""
        if not sound.whole:
            return self._hear_so_far(sound)
        if sound.id not in self._heard:
            arriving = self._arriving.pop(sound.id, None)
            if arriving is not None and 2 * arriving.listening.samples <= len(sound.pcm):
                heard = arriving.listening.finish(sound.pcm[2 * arriving.listening.samples :])
            else:
                rows = self._chroma.hearing.hear_pcm(sound.pcm)
                heard = Heard(rows, tuple((sound.id, "whole", row) for row in range(len(rows))))
            self._heard[sound.id] = heard
        return self._heard[sound.id]

    def hear_more(self, audio: Audio, before: Request | None) -> None:
        """Hear what came of a sound, and read what is known by now of the prompt that will hold it. See
        `Engine.listen`."""
        if before is not None:
            self._arriving[audio.id] = _Arriving(Listening(self._chroma.hearing, audio.id), before)
        arriving = self._arriving.get(audio.id)
        if arriving is None:
            return
        listening = arriving.listening
        known = listening.known
        listening.add(audio.pcm)
        if arriving.before is not None and (before is not None or listening.known > known):
            self._read_ahead(arriving.before, audio.id, listening.heard)

    def _hear_so_far(self, sound: Audio) -> Heard:
        arriving = self._arriving.get(sound.id)
        if arriving is not None and 2 * arriving.listening.samples == len(sound.pcm):
            return arriving.listening.so_far()
        rows = self._chroma.hearing.hear_pcm(sound.pcm)
        return Heard(rows, tuple((sound.id, len(sound.pcm), row) for row in range(len(rows))))

    def forget(self, audio_id: str) -> None:
        """This sound will not be asked for again; an unknown id is no error."""
        self._heard.pop(audio_id, None)
        self._arriving.pop(audio_id, None)
        for arriving in self._arriving.values():
            # A conversation without this sound is another one: nothing is read ahead that would hear it anew.
            if arriving.before is not None and any(each.id == audio_id for each in arriving.before.sounds()):
                arriving.before = None

    def _read_ahead(self, before: Request, audio_id: str, heard: Heard) -> None:
        chroma = self._chroma
        parts = [self.hear(sound) for sound in before.sounds()]
        counts = {sound.id: len(part.marks) for sound, part in zip(before.sounds(), parts, strict=True)}
        # One more than is heard, so that the prompt goes on where it has to be cut.
        counts[audio_id] = len(heard.marks) + 1
        spoken = Message("user", (Audio(audio_id, b""),))
        ids = chroma.prompt((*before.messages, spoken), lambda sound: counts[sound.id], before.tools)
        last = len(ids) - 1 - ids[::-1].index(chroma.config.audio_token)
        sound = joined([*parts, heard])
        chroma.reasoner.warm(ReasonerPrompt(ids[:last], sound.rows, chroma.config.im_end, marks=sound.marks))
