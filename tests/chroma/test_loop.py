"""The frame loop: who speaks when, and that no answer ever touches another."""

from collections import deque

import pytest
import torch

from engine.api import EngineError
from engine.chroma import parity
from engine.chroma.parity import GREEDY, Answer
from engine.chroma.reasoner import ReasonerPrompt, Thought
from engine.chroma.schedule import Schedule
from engine.chroma.speaker import Pair, Speech, Spoken
from engine.runtime.job import Job, Said
from engine.runtime.loop import FrameLoop

PROMPT = ReasonerPrompt([1, 2, 3], None, im_end=0)
VOICE = object()


class ScriptedReasoner:
    """Says as many tokens as a job's id asks for ("3-a": three), the last one ending the text."""

    def __init__(self) -> None:
        self.left: dict[str, int] = {}
        self.turns: list[list[str]] = []

    def start(self, request_id, prompt):
        if prompt is not PROMPT:
            raise EngineError("context_length_exceeded", "too long")
        self.left[request_id] = int(request_id.split("-")[0])
        return 1

    def stop(self, request_id):
        self.left.pop(request_id, None)

    def turn(self, wanted):
        self.turns.append(list(wanted))
        thoughts = []
        for request_id in wanted:
            self.left[request_id] -= 1
            last = self.left[request_id] == 0
            thoughts.append(Thought(request_id, 9, Pair(torch.zeros(2, 4), last)))
        return thoughts


class ScriptedSpeaker:
    """Speaks `frames` frames of each answer, then the frame that ends it."""

    def __init__(self, slots=2, frames=6) -> None:
        self.slots, self.frames = slots, frames
        self.room = 10_000
        self.broken = False
        self.slow = False
        self.batches: list[list[int]] = []

    def begin(self, slot, voice, sampling):
        return Speech(slot, Schedule(position=0), sampling, deque())

    def fits(self, speech):
        return speech.schedule.position < self.room

    def step(self, speeches):
        if self.broken:
            raise RuntimeError("out of memory")
        self.batches.append([speech.slot for speech in speeches])
        spoken = []
        for speech in speeches:
            pair = speech.pairs.popleft() if speech.schedule.wants_pair else None
            speech.schedule.advance(last_pair=pair is not None and pair.last)
            over = speech.schedule.frames > self.frames
            spoken.append(Spoken((1,) * 8, b"" if over else b"\1\0", over))
        return Made(spoken, self.slow)


class Made:
    """Frames that are there at once, or only when they are asked for."""

    def __init__(self, spoken, slow):
        self._spoken, self.here = spoken, not slow

    def result(self):
        return self._spoken


def job(name: str, **changes) -> Job:
    return Job(
        **{"id": name, "prompt": PROMPT, "voice": VOICE, "sampling": GREEDY, "max_frames": 100} | changes
    )


def run(loop: FrameLoop, *jobs: Job) -> list[Answer]:
    answers = [Answer() for _ in jobs]
    for one, answer in zip(jobs, answers, strict=True):
        loop.submit(one, answer)
    turns = 0
    while loop.busy:
        loop.turn()
        turns += 1
        assert turns < 1000, "the loop does not come to an end"
    return answers


def test_an_answer_ends_with_the_end_of_audio_frame_which_is_not_part_of_it():
    (answer,) = run(FrameLoop(ScriptedReasoner(), ScriptedSpeaker(frames=6)), job("3-a"))
    assert (answer.reason, len(answer.tokens), len(answer.codes)) == ("completed", 3, 6)


def test_an_answer_waits_for_a_slot_and_then_gets_one():
    speaker = ScriptedSpeaker(slots=2, frames=4)
    answers = run(FrameLoop(ScriptedReasoner(), speaker), *(job(f"2-{name}") for name in "abcde"))
    assert [answer.reason for answer in answers] == ["completed"] * 5
    assert max(len(batch) for batch in speaker.batches) == 2
    assert all(len(set(batch)) == len(batch) for batch in speaker.batches)


def test_text_alone_makes_no_sound():
    speaker = ScriptedSpeaker()
    (answer,) = run(FrameLoop(ScriptedReasoner(), speaker), job("5-a", voice=None))
    assert (answer.reason, len(answer.tokens), speaker.batches) == ("completed", 5, [])


def test_text_runs_ahead_of_sound_by_no_more_than_the_lead():
    reasoner, speaker = ScriptedReasoner(), ScriptedSpeaker(frames=200)
    loop = FrameLoop(reasoner, speaker, lead=4)
    answer = Answer()
    loop.submit(job("50-a", max_frames=1000), answer)
    for turn in range(1, 60):
        loop.turn()
        heard = (turn + 1) // 2
        assert len(answer.tokens) - heard <= 4
    assert len(answer.tokens) > 30


@pytest.mark.parametrize(
    ("changes", "tokens", "frames"),
    [({"max_frames": 5}, 5, 5), ({"max_tokens": 7}, 4, 3), ({"max_tokens": 1}, 1, 0)],
)
def test_limits_end_an_answer_as_length(changes, tokens, frames):
    (answer,) = run(FrameLoop(ScriptedReasoner(), ScriptedSpeaker(frames=50)), job("40-a", **changes))
    assert (answer.reason, len(answer.tokens), len(answer.codes)) == ("length", tokens, frames)


def test_an_answer_that_fills_the_backbone_ends_as_length():
    speaker = ScriptedSpeaker(frames=500)
    speaker.room = 20
    (answer,) = run(FrameLoop(ScriptedReasoner(), speaker), job("3-a", max_frames=400))
    assert answer.reason == "length"
    assert len(answer.codes) > 5


def test_a_prompt_that_is_too_long_fails_alone():
    loop = FrameLoop(ScriptedReasoner(), ScriptedSpeaker())
    other = ReasonerPrompt([1], None, im_end=0)
    bad, good = run(loop, job("3-bad", prompt=other), job("3-good"))
    assert (bad.reason, bad.error.code) == ("failed", "context_length_exceeded")
    assert good.reason == "completed"


def test_a_batch_that_raises_fails_its_answers_and_frees_their_slots():
    speaker = ScriptedSpeaker(slots=2)
    loop = FrameLoop(ScriptedReasoner(), speaker)
    speaker.broken = True
    broken = run(loop, job("3-a"), job("3-b"))
    assert [(answer.reason, answer.error.code) for answer in broken] == [("failed", "engine_error")] * 2
    speaker.broken = False
    assert [answer.reason for answer in run(loop, job("3-c"), job("3-d"))] == ["completed"] * 2


def test_cancel_takes_effect_before_the_next_frame():
    loop = FrameLoop(ScriptedReasoner(), ScriptedSpeaker(frames=50))
    running, waiting = Answer(), Answer()
    loop.submit(job("9-a"), running)
    loop.submit(job("9-b"), Answer())
    loop.submit(job("9-c"), waiting)
    for _ in range(6):
        loop.turn()
    made = len(running.codes)
    loop.cancel("9-a")
    loop.cancel("9-c")
    loop.cancel("9-unknown")
    assert (running.reason, waiting.reason) == ("cancelled", "cancelled")
    loop.turn()
    assert len(running.codes) == made > 0


def test_cancelling_one_never_disturbs_another(chroma, cases):
    """On the real model: two answers side by side, one cancelled, its slot taken by a third."""
    loop = FrameLoop(chroma.reasoner, chroma.speaker)
    keep, gone, late = Answer(), Answer(), Answer()
    loop.submit(parity.job(chroma, "keep", cases["long"]), keep)
    loop.submit(parity.job(chroma, "gone", cases["text_ends_early"]), gone)
    for _ in range(9):
        loop.turn()
    loop.cancel("gone")
    loop.submit(parity.job(chroma, "late", cases["short"]), late)
    while loop.busy:
        loop.turn()
    assert gone.reason == "cancelled"
    assert 0 < len(gone.codes) < 10
    assert set(parity.mismatches(chroma, cases["long"], keep).values()) == {None}
    assert set(parity.mismatches(chroma, cases["short"], late).values()) == {None}


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_far_ahead_of_its_playback_an_answer_leaves_the_batch_to_the_others():
    clock, speaker = Clock(), ScriptedSpeaker(frames=200)
    loop = FrameLoop(ScriptedReasoner(), speaker, ahead=0.4, clock=clock)
    loop.submit(job("99-a"), first := Answer())
    for _ in range(4):
        loop.turn()
    loop.submit(job("99-b"), second := Answer())
    for _ in range(2):
        loop.turn()
    assert (len(first.codes), len(second.codes)) == (6, 2), "0.48 s of sound, and no time has passed"
    for _ in range(4):
        loop.turn()
    assert (len(first.codes), len(second.codes)) == (6, 6)


def test_when_everybody_is_ahead_the_loop_rests_until_somebody_is_not():
    clock, speaker = Clock(), ScriptedSpeaker(frames=200)
    loop = FrameLoop(ScriptedReasoner(), speaker, lead=4, ahead=0.4, clock=clock)
    answers = [Answer(), Answer()]
    for name, answer in zip("ab", answers, strict=True):
        loop.submit(job(f"99-{name}"), answer)
    rests = [loop.turn() for _ in range(20)]
    assert not any(rests[:6])
    assert rests[-1] == pytest.approx((6 * 0.08 - 0.4) / 1.5)
    made = len(speaker.batches)
    clock.now += rests[-1] + 0.001
    assert loop.turn() == 0
    assert len(speaker.batches) == made + 1
    assert [len(answer.codes) for answer in answers] == [7, 7]


def test_alone_an_answer_is_made_as_fast_as_it_can_be():
    (answer,) = run(
        FrameLoop(ScriptedReasoner(), ScriptedSpeaker(frames=60), ahead=0.4, clock=Clock()), job("40-a")
    )
    assert (len(answer.codes), answer.reason) == (60, "completed")


def test_frames_that_take_their_time_are_handed_out_beside_the_next():
    speaker = ScriptedSpeaker(frames=5)
    speaker.slow = True
    loop = FrameLoop(ScriptedReasoner(), speaker)
    loop.submit(job("3-a"), answer := Answer())
    loop.turn()
    assert (len(speaker.batches), len(answer.codes)) == (1, 0)
    loop.turn()
    assert (len(speaker.batches), len(answer.codes)) == (2, 1)
    while loop.busy:
        loop.turn()
    assert (len(answer.codes), answer.reason) == (5, "completed")


def test_a_frame_under_way_of_an_answer_that_was_cancelled_is_nobodys():
    speaker = ScriptedSpeaker(slots=1, frames=50)
    speaker.slow = True
    loop = FrameLoop(ScriptedReasoner(), speaker)
    loop.submit(job("9-a"), first := Answer())
    loop.submit(job("9-b"), second := Answer())
    for _ in range(3):
        loop.turn()
    loop.cancel("9-a")
    heard = len(first.codes)
    loop.turn()
    assert (len(first.codes), first.reason) == (heard, "cancelled")
    loop.turn()
    assert len(second.codes) == 1


def test_a_device_that_breaks_while_it_works_takes_only_its_own(monkeypatch):
    speaker = ScriptedSpeaker(slots=2, frames=5)
    speaker.slow = True
    loop = FrameLoop(ScriptedReasoner(), speaker)
    loop.submit(job("9-a"), first := Answer())
    loop.turn()

    def broken(self):
        raise RuntimeError("an illegal memory access was encountered")

    with monkeypatch.context() as patched:
        patched.setattr(Made, "result", broken)
        loop.turn()
    assert first.reason == "failed"
    assert "illegal memory access" in first.error.message
    (other,) = run(loop, job("3-b"))
    assert other.reason == "completed"


class LateReasoner(ScriptedReasoner):
    """Hands out its tokens a turn after they were begun, as a GPU does."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[Thought] = []

    def turn(self, wanted):
        made = [thought for thought in self.late if thought.request_id in self.left]
        over = {thought.request_id for thought in made if thought.pair.last}
        self.late = super().turn([name for name in wanted if name not in over])
        return made


def test_words_that_take_their_time_are_taken_when_they_come():
    late = run(FrameLoop(LateReasoner(), ScriptedSpeaker(frames=6)), job("4-a"), job("3-b"))
    soon = run(FrameLoop(ScriptedReasoner(), ScriptedSpeaker(frames=6)), job("4-a"), job("3-b"))
    assert [(each.tokens, each.codes, each.reason) for each in late] == [
        (each.tokens, each.codes, each.reason) for each in soon
    ]


def test_a_word_under_way_of_a_text_that_is_over_is_nobodys():
    class Curt(Answer):
        def thought(self, thought):
            super().thought(thought)
            return Said((Pair(thought.pair.rows, True),), over=True)

    loop = FrameLoop(LateReasoner(), ScriptedSpeaker(frames=6))
    loop.submit(job("9-a"), answer := Curt())
    while loop.busy:
        loop.turn()
    assert (answer.tokens, answer.reason) == ([9], "completed")
