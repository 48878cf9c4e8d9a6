"""Keys and values are read where they lie, and rows that make no frame leave nothing behind there."""

from collections import deque

import numpy as np
import pytest
import torch
from golden import GOLDEN
from recording import Repeater
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode

from engine.api import EngineError
from engine.chroma import parity
from engine.chroma.model import load_model
from engine.chroma.parity import GREEDY, Answer
from engine.chroma.speaker import Pair
from engine.runtime.loop import FrameLoop

_MAY_TOUCH = ("index_put_.default", "scaled_dot_product_attention.default")


class Copies(TorchDispatchMode):
    """Names every operation that makes something new of some tensors: views make nothing new, what is written
    to them may be, and attention has to read them."""

    def __init__(self, *watched: torch.Tensor) -> None:
        super().__init__()
        self._watched = {each.untyped_storage().data_ptr() for each in watched}
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        taken = [each for each in args if isinstance(each, torch.Tensor)]
        view = isinstance(out, torch.Tensor) and self._is_watched(out)
        if not view and func.__name__ not in _MAY_TOUCH and any(map(self._is_watched, taken)):
            self.names.append(func.__name__)
        return out

    def _is_watched(self, tensor: torch.Tensor) -> bool:
        return tensor.untyped_storage().data_ptr() in self._watched


@pytest.fixture
def voice(chroma, cases):
    return chroma.voice_prompt([1, 2, 3], torch.from_numpy(cases["short"]["prompt_codes"].T.copy()))


@pytest.fixture(scope="module")
def recorded():
    """The golden model with recorded steps, which are padded."""
    return load_model(
        GOLDEN, slots=4, top_k=50, device=torch.device("cpu"), dtype=torch.float32, recorder=Repeater()
    ).speaker


def begin(speaker, slot, voice, words=10):
    """A speech of so many words, of which each slot has its own."""
    speech = speaker.begin(slot, voice, GREEDY)
    rows = torch.randn(
        words, 2, speaker.config.backbone.hidden, generator=torch.Generator().manual_seed(slot)
    )
    speech.pairs = deque(Pair(each, last=index == words - 1) for index, each in enumerate(rows))
    return speech


def say(speaker, speeches, turns):
    """What each slot says, where in each turn some slots make a frame."""
    said = {slot: [] for slot in speeches}
    for turn in turns:
        frames = speaker.step([speeches[slot] for slot in turn]).result()
        for slot, spoken in zip(turn, frames, strict=True):
            said[slot].append(spoken)
    return said


def alone(speaker, slot, voice, frames):
    speech = begin(speaker, slot, voice)
    return [speaker.step([speech]).result()[0] for _ in range(frames)]


def assert_alike(spoken, expected):
    """The same codes, and the same sound but for the rounding of batches of another size."""
    assert [each.codes for each in spoken] == [each.codes for each in expected]
    one, other = (
        np.frombuffer(b"".join(each.pcm for each in some), dtype=np.int16).astype(int)
        for some in (spoken, expected)
    )
    assert np.abs(one - other).max() <= 1


def watched(speaker):
    step = speaker._step
    attentions = step.stream._transformer
    pools = (step.frames.pool, step.frames._frame_pool)
    return Copies(
        *(part for each in pools for part in (each.keys, each.values)),
        *(part for each in attentions for part in (each._keys, each._values)),
    )


def test_a_frame_copies_no_keys(chroma, voice):
    speaker = chroma.speaker
    speeches = {slot: begin(speaker, slot, voice) for slot in (0, 1)}
    # What attention does within itself is not seen: the one that copies no keys, or an error.
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION), watched(speaker) as copies:
        say(speaker, speeches, [(0, 1), (0, 1), (1, 0), (0,)])
    assert copies.names == []


def test_scattered_slots_cost_a_copy_and_no_row(chroma, voice):
    """Of the Backbone's and of Mimi's keys; the Decoder's are in place whatever the slots are."""
    speaker = chroma.speaker
    speeches = {slot: begin(speaker, slot, voice) for slot in (0, 3)}
    with watched(speaker) as copies:
        say(speaker, speeches, [(3,)])
    assert {*copies.names} == {"index_select.default", "index.Tensor"}


def test_rows_that_wait_leave_no_trace(chroma, recorded, voice):
    """Three rows of four speak in place, the fourth waits: before its first frame, in the middle, again and
    again, or with its answer over and another one begun."""
    speeches = {slot: begin(recorded, slot, voice) for slot in (0, 1, 3)}
    say(recorded, speeches, [(0, 1, 3)])
    speeches = {slot: begin(recorded, slot, voice) for slot in range(4)}
    turns = [(0, 1, 3), (0, 3, 2), (3, 2, 1), (0, 1, 2), (0, 1, 3), (0, 1, 2, 3), (1, 3, 2)]
    said = say(recorded, speeches, turns * 2)
    for slot, spoken in said.items():
        assert_alike(spoken, alone(chroma.speaker, slot, voice, len(spoken)))
    assert recorded.graphs.counts.misses == 0


def test_a_row_that_waits_at_the_end_of_its_room_is_no_trouble(chroma, recorded, voice):
    speeches = {slot: begin(recorded, slot, voice) for slot in range(4)}
    speeches[2].schedule.position = recorded.frames.positions
    assert not recorded.fits(speeches[2])
    said = say(recorded, speeches, [(0, 1, 3)] * 5)
    for slot in (0, 1, 3):
        assert_alike(said[slot], alone(chroma.speaker, slot, voice, 5))


def test_a_free_slot_takes_its_voice_over_what_rows_left_there(chroma, recorded, voice):
    speeches = {slot: begin(recorded, slot, voice) for slot in (0, 1, 3)}
    say(recorded, speeches, [(0, 1, 3)] * 4)
    speeches[2] = begin(recorded, 2, voice)
    say(recorded, speeches, [(0, 1, 3)])
    said = say(recorded, speeches, [(0, 1, 2, 3)] * 4)
    assert_alike(said[2], alone(chroma.speaker, 2, voice, 4))


def test_answers_stand_in_the_lowest_free_slots(chroma, cases):
    loop = FrameLoop(chroma.reasoner, chroma.speaker)
    for name in ("a", "b", "c"):
        loop.submit(parity.job(chroma, name, cases["short"]), Answer())
    loop.turn()
    for name in ("b", "a"):
        loop.cancel(name)
    loop.submit(parity.job(chroma, "d", cases["short"]), Answer())
    loop.turn()
    assert {name: answer.slot for name, answer in loop._answers.items()} == {"c": 2, "d": 0}
    loop.fail_all(EngineError("engine_closed", "the test is over"))
