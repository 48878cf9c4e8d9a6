"""The session's ear: the input buffer and turn detection together, from sound to committed turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from realtime.protocol.errors import ProtocolError
from realtime.protocol.ids import Ids
from realtime.protocol.session_object import SessionObject
from realtime.session.config import SessionConfig
from realtime.session.effects import Detect, Effect, ResetDetector
from realtime.session.input_audio import InputAudioBuffer
from realtime.session.turn_detection import (
    SAMPLES_PER_MS,
    WINDOW,
    Thresholds,
    TurnDetector,
    TurnStarted,
)

_SHORTEST_COMMIT_MS = 100
_SAMPLES_PER_S = 1000 * SAMPLES_PER_MS


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn that began (`pcm` None) or ended (with its sound), at so many ms of appended sound."""

    item_id: str
    at_ms: int
    pcm: bytes | None


class Listening:
    """Sound in, turns out. Positions are samples of all sound appended in the session."""

    def __init__(self, config: SessionConfig, settings: SessionObject, new_id: Ids) -> None:
        self._config = config
        self._new_id = new_id
        self._buffer = InputAudioBuffer()
        self._detector = TurnDetector(position=0)
        self._epoch = 0
        self._item_id: str | None = None
        self._thresholds = self._read(settings)

    def configure(self, settings: SessionObject) -> list[Effect]:
        """Other turn detection. Sound that is buffered stays; where detection is switched on or off, an
        open turn is forgotten and windows count anew."""
        before, self._thresholds = self._thresholds, self._read(settings)
        return self.reset() if (before is None) != (self._thresholds is None) else []

    def append(self, sound: bytes) -> list[Effect]:
        """More sound.

        Raises:
            ProtocolError: `input_audio_buffer_full`; this sound is not taken, the rest stays.
        """
        held = self._buffer.end - self._buffer.start + len(sound) // 2
        if held > self._config.max_buffer_s * _SAMPLES_PER_S:
            raise ProtocolError(
                "input_audio_buffer_full",
                f"The input audio buffer holds at most {self._config.max_buffer_s:g} seconds; this append was"
                " not taken. Commit or clear the buffer.",
                "audio",
            )
        whole = self._buffer.append(sound)
        return [Detect(self._epoch, whole)] if whole and self._thresholds else []

    def commit(self) -> tuple[str, bytes]:
        """Everything that is buffered, as an item's id and sound; an open turn ends with it.

        Raises:
            ProtocolError: `input_audio_buffer_commit_empty` for less than 100 ms.
        """
        start = self._buffer.start if self._detector.start is None else self._detector.start
        milliseconds = (self._buffer.end - start) / SAMPLES_PER_MS
        if milliseconds < _SHORTEST_COMMIT_MS:
            raise ProtocolError(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least"
                f" {_SHORTEST_COMMIT_MS}ms of audio, but buffer only has {milliseconds:.2f}ms of audio.",
            )
        item_id = self._item_id or self._new_id("item")
        self._item_id = None
        pcm = self._buffer.take(start, self._buffer.end)
        self._detector.cut(self._buffer.end)
        return item_id, pcm

    def clear(self) -> list[Effect]:
        """Forget what is not committed, and an open turn with it."""
        self._buffer.clear()
        return self.reset()

    def reset(self) -> list[Effect]:
        """Start detection anew from here."""
        self._epoch += 1
        self._item_id = None
        self._detector = TurnDetector(position=self._buffer.end, floor=self._buffer.start)
        return [ResetDetector(self._epoch)]

    def hear(self, epoch: int, probabilities: Sequence[float]) -> Iterator[Turn]:
        """The turns that these windows begin and end, one after another."""
        for probability in probabilities:
            # What a turn causes may reset detection: then the rest of these windows is old.
            if self._thresholds is None or epoch != self._epoch:
                return
            turn = self._detector.hear(probability, self._thresholds)
            if isinstance(turn, TurnStarted):
                self._item_id = self._new_id("item")
                yield Turn(self._item_id, turn.start // SAMPLES_PER_MS, None)
            elif turn is not None:
                assert self._item_id is not None
                item_id, self._item_id = self._item_id, None
                yield Turn(item_id, turn.end // SAMPLES_PER_MS, self._buffer.take(turn.start, turn.end))
        if self._thresholds is not None and epoch == self._epoch:
            self._buffer.drop(self._detector.needed_from(self._thresholds))

    def _read(self, settings: SessionObject) -> Thresholds | None:
        vad = settings.audio.input.turn_detection
        if vad is None:
            return None
        return Thresholds(
            probability=vad.threshold,
            padding=vad.prefix_padding_ms * SAMPLES_PER_MS,
            silence=vad.silence_duration_ms * SAMPLES_PER_MS,
            speech=max(1, self._config.min_speech_ms * SAMPLES_PER_MS // WINDOW),
        )
