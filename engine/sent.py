"""Which sounds a child has been sent, so that none is sent twice."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TypeVar

from engine.api import Audio, Message, Part, Reference, Request

Sound = TypeVar("Sound", Audio, Reference)


class SentSounds:
    """Of one child, from its beginning: it holds what it was sent until it is told to forget it."""

    def __init__(self) -> None:
        self._whole: set[str] = set()
        self._arriving: dict[str, int] = {}
        """Bytes that were sent of sounds that are still being spoken."""

    @property
    def whole(self) -> Collection[str]:
        """Ids of the sounds of which there is no more."""
        return self._whole

    @property
    def arriving(self) -> Collection[str]:
        """Ids of those that are still being spoken."""
        return self._arriving.keys()

    def more(self, audio: Audio) -> None:
        """More of a sound that is being spoken is sent."""
        self._arriving[audio.id] = self._arriving.get(audio.id, 0) + len(audio.pcm)

    def forget(self, audio_ids: Sequence[str]) -> tuple[str, ...]:
        """Those of the sounds that the child holds: it is to be told."""
        known = (self._whole | self._arriving.keys()).intersection(audio_ids)
        self._whole -= known
        for audio_id in known:
            self._arriving.pop(audio_id, None)
        return tuple(known)

    def strip(self, request: Request) -> tuple[Request, tuple[str, ...]]:
        """The request as it is sent, without the sound that the child holds, and what it is to be told to
        forget before: sounds that ended before what was heard of them, which it hears anew."""
        longer: list[str] = []

        def sent(sound: Sound) -> Sound:
            if isinstance(sound, Audio) and not sound.whole:
                return replace(sound, pcm=sound.pcm[self._arriving.get(sound.id, 0) :])
            if sound.id in self._whole:
                return replace(sound, pcm=b"")
            self._whole.add(sound.id)
            arrived = self._arriving.pop(sound.id, 0)
            if arrived > len(sound.pcm):
                longer.append(sound.id)
                arrived = 0
            return replace(sound, pcm=sound.pcm[arrived:])

        def light(part: Part) -> Part:
            return sent(part) if isinstance(part, Audio) else part

        def lightened(message: Message) -> Message:
            return replace(message, parts=tuple(map(light, message.parts)))

        voice = sent(request.voice) if isinstance(request.voice, Reference) else request.voice
        messages = tuple(map(lightened, request.messages))
        return replace(request, messages=messages, voice=voice), tuple(longer)
