"""The frame loop: every turn, each ready answer says one more word and speaks one more frame.

Text runs ahead of sound: the Reasoner fills each answer's queue of pairs, the Speaker empties it, and
neither waits for the other. All answers that can make a frame make it in one batch; where there are others,
an answer that is far ahead of its own playback waits, so that the batch is theirs. No threads here: whoever
owns the loop calls `turn` while there is work.
"""

from __future__ import annotations

import heapq
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass

from engine.api import ENGINE_BROKEN, FRAME_SAMPLES, SAMPLE_RATE, EngineError
from engine.chroma.reasoner import Failure, Reasoner, Thought
from engine.chroma.speaker import Frames, Speaker, Speech
from engine.runtime.device_errors import told
from engine.runtime.job import Job, Listener, Reason
from engine.stats import EngineStats

log = logging.getLogger(__name__)

FRAME_SECONDS = FRAME_SAMPLES / SAMPLE_RATE
_POLL = 0.0005
"""Seconds until a word that is being made is asked for again."""
_FASTEST = 1.5
"""Speed at which an answer may be played: the gateway stretches sound after the engine."""


@dataclass(slots=True)
class _Answer:
    job: Job
    listener: Listener
    slot: int
    speech: Speech | None
    text_over: bool = False
    tokens: int = 0
    frames: int = 0
    heard_from: float | None = None
    """When its first frame left."""

    def ahead(self, now: float) -> float:
        """Seconds of sound that have left and cannot have been heard yet."""
        heard = 0.0 if self.heard_from is None else _FASTEST * (now - self.heard_from)
        return self.frames * FRAME_SECONDS - heard

    @property
    def spent(self) -> bool:
        limit = self.job.max_tokens
        return limit is not None and self.tokens + self.frames >= limit


@dataclass(slots=True)
class Counts:
    """Since the loop began: frames of sound, tokens of prompts, counted once read, and those read before."""

    frames: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An answer that waits for its turn to begin, and since when."""

    job: Job
    listener: Listener
    since: float


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """A frame of some answers that the device is making."""

    answers: list[tuple[_Answer, Speech]]
    frames: Frames


class FrameLoop:
    """Slots, and the answers in them.

    Args:
        lead: pairs that an answer's text may run ahead of its sound, so that a long answer's text does
            not hold up the sound of the others.
        ahead: seconds that an answer's sound may run ahead of its playback while there are other answers.
        patience: seconds that an answer may wait for others to end.
        clock: seconds, of any beginning.
    """

    def __init__(
        self,
        reasoner: Reasoner,
        speaker: Speaker,
        lead: int = 16,
        *,
        ahead: float = 3.0,
        patience: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ahead, self._patience, self._clock = ahead, patience, clock
        self._reasoner = reasoner
        self._speaker = speaker
        self._lead = lead
        # A heap: answers stand in the lowest slots, where the Speaker reads their keys in place.
        self._free = list(range(speaker.slots))
        self._waiting: deque[_Waiting] = deque()
        self.capacity = speaker.slots
        """Answers at once; see `engine.runtime.admission`."""
        self.broken: EngineError | None = None  # Why no answer can succeed any more.
        self._answers: dict[str, _Answer] = {}
        self._under_way: _UnderWay | None = None
        self.counts = Counts()

    @property
    def busy(self) -> bool:
        """There is work for `turn`."""
        return bool(self._answers or self._waiting or self._under_way)

    @property
    def roomy(self) -> bool:
        """With one more answer, at most half of what it can do at once is taken."""
        return 2 * (len(self._answers) + len(self._waiting) + 1) <= self.capacity

    def stats(self) -> EngineStats:
        """What it is busy with; see `EngineStats`."""
        return EngineStats(
            slots=self.capacity,
            speaking=self._speaking,
            writing=len(self._answers) - self._speaking,
            waiting=len(self._waiting),
            pairs=sum(len(answer.speech.pairs) for answer in self._answers.values() if answer.speech),
            **asdict(self.counts),
        )

    def submit(self, job: Job, listener: Listener) -> None:
        """Queue an answer; it starts as soon as there are fewer than `capacity`, or fails, `engine_full`."""
        self._waiting.append(_Waiting(job, listener, self._clock()))

    def cancel(self, job_id: str) -> None:
        """End an answer now, whether it runs or waits; an unknown id is no error."""
        if job_id in self._answers:
            self._end(self._answers[job_id], "cancelled")
            return
        for entry in self._waiting:
            if entry.job.id == job_id:
                self._waiting.remove(entry)
                entry.listener.finished("cancelled", None)
                return

    def fail_all(self, error: EngineError) -> None:
        """End every answer, running or waiting, as failed."""
        for answer in list(self._answers.values()):
            self._end(answer, "failed", error)
        while self._waiting:
            self._waiting.popleft().listener.finished("failed", error)

    def turn(self) -> float:
        """One word and one frame for each answer that can make one. Returns for how many seconds there is
        nothing to do, unless something new comes."""
        self._admit()
        self._collect()
        rests = [rest for rest in (self._think(), self._speak()) if rest is not None]
        return min(rests, default=0.0)

    def _admit(self) -> None:
        for waiting in list(self._waiting):
            # `capacity` is of sound: text is made beside it, as long as there are slots.
            if not self._free or (waiting.job.voice is not None and self._speaking >= self.capacity):
                continue
            self._waiting.remove(waiting)
            self._start(waiting.job, waiting.listener)
        self._refuse()

    @property
    def _speaking(self) -> int:
        return sum(answer.job.voice is not None for answer in self._answers.values())

    def _refuse(self) -> None:
        """Who has waited too long to speak would only make the others wait."""
        for waiting in list(self._waiting):
            if waiting.job.voice is not None and waiting.since < self._clock() - self._patience:
                self._waiting.remove(waiting)
                message = f"all {self.capacity} answers that can be spoken at once are taken; try again soon"
                waiting.listener.finished("failed", EngineError("engine_full", message))

    def _start(self, job: Job, listener: Listener) -> None:
        slot = heapq.heappop(self._free)
        answer = _Answer(job, listener, slot, None)
        self._answers[job.id] = answer
        try:
            self._reasoner.start(job.id, job.prompt)
            if job.voice is not None:
                answer.speech = self._speaker.begin(slot, job.voice, job.sampling)
        except EngineError as error:
            self._end(answer, "failed", error)
        except Exception as error:
            self._break([answer], "the engine", error)

    def _think(self) -> float | None:
        """Returns for how many seconds no word can be had; None where nobody wants one."""
        wanted = [answer for answer in self._answers.values() if self._wants_word(answer)]
        if not wanted:
            return None
        try:
            thoughts = self._reasoner.turn([answer.job.id for answer in wanted])
        except Exception as error:
            self._break(wanted, "the Reasoner", error)
            return 0.0
        for thought in thoughts:
            answer = self._answers[thought.request_id]
            if isinstance(thought, Failure):
                self._end(answer, "failed", thought.error)
            # Its next word may have been on its way when the listener had heard enough.
            elif not answer.text_over:
                self._take(answer, thought)
        return 0.0 if thoughts else _POLL

    def _wants_word(self, answer: _Answer) -> bool:
        return not answer.text_over and (answer.speech is None or len(answer.speech.pairs) < self._lead)

    def _take(self, answer: _Answer, thought: Thought) -> None:
        answer.tokens += 1
        if thought.kept is not None:
            self.counts.prompt_tokens += len(answer.job.prompt.ids)
            self.counts.cached_tokens += thought.kept
            answer.listener.begun(thought.kept)
        try:
            said = answer.listener.thought(thought)
        except EngineError as error:
            return self._end(answer, "failed", error)
        answer.text_over = thought.pair.last or said.over
        if answer.speech is not None:
            answer.speech.pairs.extend(said.pairs)
        if said.silent:
            answer.speech = None
        if answer.speech is None and answer.text_over:
            self._end(answer, "completed")
        elif answer.spent:
            self._end(answer, "length")

    def _speak(self) -> float | None:
        """Returns for how many seconds nobody needs a frame; None where nobody can have one."""
        ready: list[tuple[_Answer, Speech]] = []
        waits: list[float] = []
        now = self._clock()
        # Whoever waits for a slot is served soonest by answers that end.
        crowded = len(self._answers) > 1 and not self._waiting
        for answer in list(self._answers.values()):
            speech = answer.speech
            if speech is None or not speech.ready:
                continue
            if crowded and answer.ahead(now) > self._ahead:
                waits.append((answer.ahead(now) - self._ahead) / _FASTEST)
            elif self._speaker.fits(speech):
                ready.append((answer, speech))
            else:
                # Its last frame may be under way.
                self._collect(wait=True)
                self._end(answer, "length")
        before, self._under_way = self._under_way, None
        ready = [(answer, speech) for answer, speech in ready if answer.speech is speech]
        if ready:
            try:
                frames = self._speaker.step([speech for _, speech in ready])
            except Exception as error:
                self._break([answer for answer, _ in ready], "the Speaker", error)
            else:
                self._under_way = _UnderWay(ready, frames)
        # The device works on this turn's frames while the host hands out those of the turn before.
        if before is not None:
            self._hand_out(before)
        self._collect()
        if self._waiting:
            waits.append(max(0.0, self._waiting[0].since + self._patience - now))
        return 0.0 if ready or before is not None else min(waits, default=None)

    def _collect(self, *, wait: bool = False) -> None:
        """Hand out what the device has made; `wait`: what it is making."""
        if self._under_way is not None and (wait or self._under_way.frames.here):
            made, self._under_way = self._under_way, None
            self._hand_out(made)

    def _hand_out(self, made: _UnderWay) -> None:
        try:
            frames = made.frames.result()
        except Exception as error:
            self._break([answer for answer, _ in made.answers], "the Speaker", error)
            return
        for (answer, speech), spoken in zip(made.answers, frames, strict=True):
            # It may have ended while this frame was made.
            if answer.speech is not speech or self._answers.get(answer.job.id) is not answer:
                continue
            if spoken.over:
                # Where calls follow what was said, the text goes on after the speech.
                if answer.text_over or not speech.schedule.text_over:
                    self._end(answer, "completed")
                answer.speech = None
                continue
            if answer.heard_from is None:
                answer.heard_from = self._clock()
            answer.frames += 1
            self.counts.frames += 1
            answer.listener.spoken(spoken)
            if answer.spent or answer.frames >= answer.job.max_frames:
                self._end(answer, "length")

    def _end(self, answer: _Answer, reason: Reason, error: EngineError | None = None) -> None:
        if self._answers.pop(answer.job.id, None) is None:
            return
        self._reasoner.stop(answer.job.id)
        heapq.heappush(self._free, answer.slot)
        answer.listener.finished(reason, error)

    def _break(self, answers: list[_Answer], part: str, error: Exception) -> None:
        """A batch that raised takes its own answers with it, and nothing else."""
        log.exception("%s failed on %d answers", part, len(answers))
        why = self.failure(part, error)
        for answer in answers:
            self._end(answer, "failed", why)

    def failure(self, part: str, error: Exception) -> EngineError:
        """What an exception is told as; see `engine.runtime.device_errors`."""
        why = told(part, error)
        if why.code == ENGINE_BROKEN:
            self.broken = why
        return why
