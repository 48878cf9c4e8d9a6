"""References in training: as their recordings begin and end, and as the engine hears them."""

import random

import numpy as np
import pytest
import torch
from nano_world import encoder

from engine.chroma.mimi import encode
from engine.chroma.model import load_model
from engine.voices.store import VoiceStore
from training.__main__ import _KEPT as KEPT
from training.codec.encoder import Ear
from training.shapes import CODEBOOKS, SAMPLES_PER_FRAME
from training.speech.data import Answer, AnswerDraw, recorded

NANO = KEPT.parents[1] / "engine" / "nano"
FRAMES = 48


class Sounds:
    """Of ones, so that silence is seen."""

    def __getitem__(self, index: int) -> np.ndarray:
        return np.ones(self.samples(index), np.float32)

    def samples(self, index: int) -> int:
        return FRAMES * SAMPLES_PER_FRAME


def test_recordings_begin_and_end_anywhere():
    rng = random.Random(1)
    sounds = [recorded(Sounds()[0], rng) for _ in range(200)]
    assert all(sound.sum() == FRAMES * SAMPLES_PER_FRAME for sound in sounds)
    before = np.array([int(sound.argmax()) for sound in sounds])
    behind = np.array([int(sound[::-1].argmax()) for sound in sounds])
    assert before.min() < 100
    assert before.max() > SAMPLES_PER_FRAME - 100
    assert behind.min() < 100
    assert behind.max() > 2 * SAMPLES_PER_FRAME - 200
    whole = [len(sound) % SAMPLES_PER_FRAME == 0 for sound in sounds]
    assert not all(whole)


def test_answers_of_a_row_hear_one_recording_and_a_reference_has_several():
    reader = encoder()
    answers = [
        Answer("river", [*reader("Two plus two is four."), reader.im_end], Sounds(), index)
        for index in range(30)
    ]

    def ear(sound: np.ndarray) -> np.ndarray:
        """A frame's codes are how much of it is sound, of 500."""
        padded = np.pad(sound, (0, -len(sound) % SAMPLES_PER_FRAME))
        heard = 500 * padded.reshape(-1, SAMPLES_PER_FRAME).mean(1)
        return heard.astype(np.int64)[:, None].repeat(CODEBOOKS, 1)

    def coder(sound: np.ndarray, shift: int) -> np.ndarray:
        return np.ones((20, CODEBOOKS), np.int64)

    draw = AnswerDraw(answers, reader, coder, 1, ear=ear)
    first_frames, last_frames = set(), set()
    for rows, _ in zip(draw.batches(), range(40), strict=False):
        for row in rows:
            first, *others = (layout.reference for layout in row.layouts)
            assert all(np.array_equal(first, other) for other in others)
            first_frames.add(int(first[0, 0]))
            last_frames.add(int(first[-1, 0]))
    assert len(first_frames) > 30
    assert 0 in last_frames
    assert len(last_frames) > 10
    assert max(len(answer.heard) for answer in answers) == 2


@pytest.mark.parametrize("cut", [0, 700], ids=["whole frames", "a frame cut off"])
def test_references_have_the_codes_that_the_engine_makes_of_them(cut):
    chroma = load_model(NANO, slots=1, top_k=50, device=torch.device("cpu"), dtype=torch.float32)
    ear = Ear(KEPT)
    for voice in VoiceStore(NANO / "voices").list():
        if voice.builtin:
            continue
        sound = voice.load()[: -cut or None]
        made, heard = encode(chroma.speaker.mimi, torch.from_numpy(sound), CODEBOOKS).numpy(), ear(sound)
        assert made.shape == heard.shape
        # Books that change words; rounding moves some of the later ones.
        assert (made == heard)[:, :3].mean() > 0.95
