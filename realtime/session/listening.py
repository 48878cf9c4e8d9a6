"""The session's ear: the input buffer and turn detection together, from sound to committed turns."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from realtime.protocol.errors import ProtocolError
from realtime.protocol.ids import Ids
from realtime.protocol.session_object import ServerVad, SessionObject
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
    """A turn that began (`pcm` None) or ended (with its sound), at so many ms of appended sound. `answer`:
    it is one to be answered; for one that began, by interrupting the answer that is given."""

    item_id: str
    at_ms: int
    pcm: bytes | None
    answer: bool


@dataclass(frozen=True, slots=True)
class Commit:
    """What a client committed: an item's id and sound. `ended_at_ms` where it ended an open turn."""

    item_id: str
    pcm: bytes
    ended_at_ms: int | None


class Listening:
    """Sound in, turns out. Positions are samples of all sound appended in the session."""

    def __init__(self, config: SessionConfig, settings: SessionObject, new_id: Ids) -> None:
        self._config = config
        self._new_id = new_id
        self._buffer = InputAudioBuffer()
        self._detector = TurnDetector(position=0)
        self._epoch = 0
        self._item_id: str | None = None
        self._vad = settings.audio.input.turn_detection

    @property
    def open_item_id(self) -> str | None:
        """The id that the client was told for the turn being spoken: no other item may take it."""
        return self._item_id

    def configure(self, settings: SessionObject) -> list[Effect]:
        """Other turn detection; no buffered sound is lost.

        Other thresholds hold from the next window on, in an open turn too. Switched off, an open turn is
        forgotten and its sound waits for a commit. Switched on, all that is buffered is listened to.
        """
        before, self._vad = self._vad, settings.audio.input.turn_detection
        if (before is None) == (self._vad is None):
            return []
        effects = self._reset(self._buffer.start)
        buffered = self._buffer.peek()
        return [*effects, Detect(self._epoch, buffered)] if self._vad and buffered else effects

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
        return [Detect(self._epoch, whole)] if whole and self._vad else []

    def commit(self) -> Commit:
        """Everything that is buffered; an open turn ends with it, and half a sample is dropped.

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
        end = self._buffer.end
        spoken, self._item_id = self._item_id, None
        pcm = self._buffer.take(start, end)
        self._buffer.drop_half()
        self._detector.cut(end)
        return Commit(spoken or self._new_id("item"), pcm, end // SAMPLES_PER_MS if spoken else None)

    def clear(self) -> list[Effect]:
        """Forget what is not committed, and an open turn with it."""
        self._buffer.drop(self._buffer.end)
        self._buffer.drop_half()
        return self._reset(self._buffer.end)

    def fail(self) -> list[Effect]:
        """The detector is lost: an open turn is forgotten, its sound waits for a commit."""
        return self._reset(self._buffer.end)

    def _reset(self, position: int) -> list[Effect]:
        """Start detection anew, its first window at `position`."""
        self._epoch += 1
        self._item_id = None
        self._detector = TurnDetector(position, floor=self._buffer.start)
        return [ResetDetector(self._epoch)]

    def hear(self, epoch: int, probabilities: Sequence[float]) -> Iterator[Turn]:
        """The turns that these windows begin and end, one after another."""
        vad = self._vad
        if vad is None or epoch != self._epoch:
            return
        thresholds = self._thresholds(vad)
        for probability in probabilities:
            turn = self._detector.hear(probability, thresholds)
            if isinstance(turn, TurnStarted):
                self._item_id = self._new_id("item")
                at_ms = turn.start // SAMPLES_PER_MS
                yield Turn(self._item_id, at_ms, None, vad.interrupt_response)
            elif turn is not None:
                assert self._item_id is not None
                item_id, self._item_id = self._item_id, None
                pcm = self._buffer.take(turn.start, turn.end)
                yield Turn(item_id, turn.end // SAMPLES_PER_MS, pcm, vad.create_response)
        self._buffer.drop(self._detector.needed_from(thresholds))
        self._detector.forget_before(self._buffer.start)

    def _thresholds(self, vad: ServerVad) -> Thresholds:
        return Thresholds(
            probability=vad.threshold,
            padding=vad.prefix_padding_ms * SAMPLES_PER_MS,
            silence=vad.silence_duration_ms * SAMPLES_PER_MS,
            speech=max(1, math.ceil(self._config.min_speech_ms * SAMPLES_PER_MS / WINDOW)),
        )
