"""The session's ear: wire format, input buffer and turn detection together, from sound to turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from engine import Audio
from realtime.audio.formats import SoundDecoder
from realtime.protocol.errors import ProtocolError
from realtime.protocol.ids import Ids
from realtime.protocol.session_object import AnySession
from realtime.session import turn_detection
from realtime.session.config import SessionConfig
from realtime.session.early import Silence
from realtime.session.effects import Detect, Effect, Forget, Judge, ResetDetector
from realtime.session.input_audio import InputAudioBuffer
from realtime.session.turn_detection import SAMPLES_PER_MS, TurnEnded, TurnStarted, TurnState
from realtime.session.turn_settings import DISCRETION, thresholds

_SHORTEST_COMMIT_MS = 100
_SAMPLES_PER_S = 1000 * SAMPLES_PER_MS
_PIECE_SAMPLES = _SAMPLES_PER_S // 5
"""The engine is told of this much at a time, at least: a message of its own for every window costs more."""
_HINT_SAMPLES = 150 * SAMPLES_PER_MS
"""Silence that may be the end of a turn. Stops within words are shorter."""
_JUDGED_SAMPLES = 8 * _SAMPLES_PER_S
"""What a judge is shown at most: how a turn ends is heard in its end."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn that began (`pcm` None) or ended (with its sound), at so many ms of appended sound. `answer`:
    it is one to be answered; for one that began, by interrupting the answer that is given. `audio_id`: the
    engine has heard some of it under this id."""

    item_id: str
    at_ms: int
    pcm: bytes | None
    answer: bool
    audio_id: str | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """What is committed without a judgement: an item's id and sound, from and up to so many ms of appended
    sound. `spoken`: it ended an open turn. `audio_id` as for a `Turn`."""

    item_id: str
    pcm: bytes
    start_ms: int
    end_ms: int
    spoken: bool
    audio_id: str | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """More of a sound that is still being spoken; `first`: this is where it begins."""

    audio_id: str
    pcm: bytes
    first: bool


class Listening:
    """Sound in, turns out. Positions are samples of all sound appended in the session, at 24 kHz."""

    def __init__(self, config: SessionConfig, settings: AnySession, new_id: Ids) -> None:
        self._config = config
        self._new_id = new_id
        self._buffer = InputAudioBuffer()
        self._format = settings.audio.input.format.type
        self._decoder = SoundDecoder(self._format)
        self._undetected = b""
        """Sound that is buffered, and that the detector is told of with what comes next."""
        self._state = TurnState(position=0)
        self._epoch = 0
        self._pause = 0
        self._unjudged = False
        self._item_id: str | None = None
        self._audio_id: str | None = None
        """Of the sound being spoken, once the engine has heard some of it, up to `_told`."""
        self._told = 0
        self._vad = settings.audio.input.turn_detection
        self._thresholds = thresholds(self._vad, config.min_speech_ms)
        self.speech_end: int | None = None
        """Where the speech of the last turn that was found ended, before its silence; None: nobody knows."""

    @property
    def appended(self) -> int:
        """Samples of all sound that was appended."""
        return self._buffer.end

    @property
    def epoch(self) -> int:
        """That the detector counts its windows in now; what it says of another is out of date."""
        return self._epoch

    @property
    def open_item_id(self) -> str | None:
        """The id that the client was told for the turn being spoken: no other item may take it."""
        return self._item_id

    @property
    def open_audio_id(self) -> str | None:
        """The sound that the engine has heard some of, and that is not committed yet."""
        return self._audio_id

    @property
    def answers(self) -> bool:
        """A turn that ends is to be answered."""
        return self._vad is not None and self._vad.create_response

    @property
    def unheard(self) -> int:
        """Samples that are there and were not listened to yet."""
        return self._buffer.end - self._state.position

    @property
    def silence(self) -> Silence | None:
        """The silence within the open turn, once it may be the end of it."""
        since = self._state.silent_since
        if self._item_id is None or since is None or self._state.position - since < _HINT_SAMPLES:
            return None
        return self._item_id, since

    def so_far(self) -> Audio:
        """The open turn up to now, of which the engine has heard something."""
        assert self._audio_id is not None
        assert self._state.start is not None
        return Audio(self._audio_id, self._buffer.peek(self._state.start, self._told), whole=False)

    def configure(self, settings: AnySession) -> list[Effect]:
        """Other turn detection or format; no buffered sound is lost.

        Other thresholds hold from the next window on, in an open turn too. Switched off, an open turn is
        forgotten and its sound waits for a commit. Switched on, all that is buffered is listened to.
        """
        effects: list[Effect] = []
        if settings.audio.input.format.type != self._format:
            effects += self._take(self._decoder.flush())
            self._format = settings.audio.input.format.type
            self._decoder = SoundDecoder(self._format)
        before, self._vad = self._vad, settings.audio.input.turn_detection
        self._thresholds = thresholds(self._vad, self._config.min_speech_ms)
        if (before is None) == (self._vad is None):
            return effects
        effects += self._reset(self._buffer.start)
        buffered = self._buffer.peek(self._buffer.start, self._buffer.end)
        return [*effects, Detect(self._epoch, buffered)] if self._vad and buffered else effects

    def append(self, sound: bytes) -> list[Effect]:
        """More sound in the session's input format.

        Raises:
            ProtocolError: `input_audio_buffer_full`; this sound is not taken, the rest stays.
        """
        samples = len(sound) // 2 if self._format == "audio/pcm" else 3 * len(sound)
        self._check_room(samples)
        return self._take(self._decoder.add(sound))

    def append_pcm(self, pcm: bytes) -> list[Effect]:
        """More sound as PCM16 at 24 kHz, whatever the format of the wire. Raises as `append` does."""
        self._check_room(len(pcm) // 2)
        return self._take(pcm)

    def commit(self) -> Commit:
        """Everything that is buffered; an open turn ends with it, and half a sample is dropped.

        Raises:
            ProtocolError: `input_audio_buffer_commit_empty` for less than 100 ms.
        """
        self._buffer.append(rest := self._decoder.flush())
        self._undetected += rest
        start = self._buffer.start if self._state.start is None else self._state.start
        milliseconds = (self._buffer.end - start) / SAMPLES_PER_MS
        if milliseconds < _SHORTEST_COMMIT_MS:
            raise ProtocolError(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least"
                f" {_SHORTEST_COMMIT_MS}ms of audio, but buffer only has {milliseconds:.2f}ms of audio.",
            )
        return self._commit(start)

    def commit_silence(self) -> Commit:
        """What is buffered between turns, made up to 100 ms: nobody spoke for long."""
        commit = self._commit(self._buffer.start)
        shortest = 2 * _SHORTEST_COMMIT_MS * SAMPLES_PER_MS
        return replace(commit, pcm=commit.pcm.ljust(shortest, b"\0"))

    def clear(self) -> list[Effect]:
        """Forget what is not committed, and an open turn with it."""
        self._decoder = SoundDecoder(self._format)
        self._buffer.drop(self._buffer.end)
        return self._reset(self._buffer.end)

    def fail(self) -> list[Effect]:
        """The detector is lost: an open turn is forgotten, its sound waits for a commit."""
        return self._reset(self._buffer.end)

    def hear(self, epoch: int, probabilities: Sequence[float], *, answering: bool) -> Iterator[Turn | Judge]:
        """The turns that these windows begin and end, and the pauses to be judged, one after another.
        `answering`: an answer is given meanwhile, which a back-channel need not stop."""
        vad = self._vad
        if vad is None or epoch != self._epoch:
            return
        limits = self._thresholds[answering, self._unjudged]
        for probability in probabilities:
            silent_since = self._state.silent_since
            self._state, happening = turn_detection.next_window(self._state, probability, limits)
            if happening is None:
                continue
            if isinstance(happening, TurnStarted):
                self._item_id = self._new_id("item")
                self._pause += 1
                yield Turn(self._item_id, happening.start // SAMPLES_PER_MS, None, vad.interrupt_response)
            elif isinstance(happening, TurnEnded):
                yield self._ended(happening, silent_since, vad.create_response)
            else:
                self._pause += 1
                start = max(happening.start, happening.end - _JUDGED_SAMPLES)
                yield Judge(self._pause, self._buffer.peek(start, happening.end))
        self._buffer.drop(self._state.needed_from(limits))
        self._state = turn_detection.forget_before(self._state, self._buffer.start)

    def judged(self, pause: int, probability: float | None) -> Turn | None:
        """How likely the turn is over, of a pause that may be over by now. Returns the turn, if it is."""
        vad, start = self._vad, self._state.start
        if vad is None or vad.type != "semantic_vad" or start is None:
            return None
        if pause != self._pause or not self._state.paused:
            return None
        # Where nobody can tell, silence alone decides, and sooner than where somebody said "not yet".
        self._unjudged = probability is None
        if probability is None or probability < DISCRETION[vad.eagerness].probability:
            return None
        end, silent_since = self._state.position, self._state.silent_since
        self._state = turn_detection.cut(self._state, end)
        return self._ended(TurnEnded(start, end), silent_since, vad.create_response)

    def ahead(self, *, all_of_it: bool = False) -> Piece | None:
        """What the engine may hear before the turn is over: of the open turn what is surely part of it, and
        without turn detection all that is buffered. None where that is not more than it has heard; unless
        `all_of_it`, not much more."""
        if self._vad is None:
            start, end = self._buffer.start, self._buffer.end
        elif self._state.start is not None:
            start, end = self._state.start, self._state.position
        else:
            return None
        first = self._audio_id is None
        begin = start if first else self._told
        if end - begin < (1 if all_of_it else _PIECE_SAMPLES):
            return None
        self._audio_id, self._told = self._audio_id or self._new_id("audio"), end
        return Piece(self._audio_id, self._buffer.peek(begin, end), first)

    def _ended(self, turn: TurnEnded, silent_since: int | None, answer: bool) -> Turn:
        assert self._item_id is not None
        self.speech_end = silent_since
        item_id, self._item_id = self._item_id, None
        audio_id, self._audio_id = self._audio_id, None
        self._unjudged = False
        pcm = self._buffer.take(turn.start, turn.end)
        return Turn(item_id, turn.end // SAMPLES_PER_MS, pcm, answer, audio_id)

    def _commit(self, start: int) -> Commit:
        end = self._buffer.end
        self.speech_end = None
        spoken, self._item_id = self._item_id, None
        audio_id, self._audio_id = self._audio_id, None
        pcm = self._buffer.take(start, end)
        self._state = turn_detection.cut(self._state, end)
        item_id = spoken or self._new_id("item")
        at = start // SAMPLES_PER_MS, end // SAMPLES_PER_MS
        return Commit(item_id, pcm, *at, spoken is not None, audio_id)

    def _check_room(self, samples: int) -> None:
        held = self._buffer.end - self._buffer.start + samples
        if held > self._config.max_buffer_s * _SAMPLES_PER_S:
            raise ProtocolError(
                "input_audio_buffer_full",
                f"The input audio buffer holds at most {self._config.max_buffer_s:g} seconds; this append was"
                " not taken. Commit or clear the buffer.",
                "audio",
            )

    def _take(self, pcm: bytes) -> list[Effect]:
        self._buffer.append(pcm)
        pcm, self._undetected = self._undetected + pcm, b""
        return [Detect(self._epoch, pcm)] if pcm and self._vad else []

    def _reset(self, position: int) -> list[Effect]:
        """Start detection anew, its first window at `position`."""
        self._epoch += 1
        self._undetected = b""
        self._unjudged = False
        self._item_id = None
        self._state = TurnState(position, self._buffer.start)
        audio_id, self._audio_id = self._audio_id, None
        forgotten = [Forget((audio_id,))] if audio_id else []
        return [ResetDetector(self._epoch), *forgotten]
