"""Mimi as a stream equals Mimi whole."""

import pytest
import torch

from engine.chroma.mimi import MimiStream, encode

CLOSE = 1e-5


def whole(mimi, codes: torch.Tensor) -> torch.Tensor:
    """[rows, frames, 8] decoded at once by transformers: [rows, samples]."""
    with torch.inference_mode():
        return mimi.decode(codes.transpose(1, 2)).audio_values[:, 0]


def random_codes(rows: int, frames: int) -> torch.Tensor:
    return torch.randint(0, 64, (rows, frames, 8), generator=torch.Generator().manual_seed(rows + frames))


# 125 frames fill the attention window of 250 positions: 300 go round the ring twice.
@pytest.mark.parametrize("frames", [1, 3, 126, 300])
def test_stream_equals_whole(chroma, frames):
    mimi = chroma.speaker.mimi
    stream = MimiStream(mimi, slots=4)
    codes, slots = random_codes(2, frames), torch.tensor([3, 1])
    sound = torch.cat([stream.decode(codes[:, frame], slots) for frame in range(frames)], dim=1)
    assert (sound - whole(mimi, codes)).abs().max() <= CLOSE


def test_rows_that_join_and_leave_do_not_touch_each_other(chroma):
    mimi = chroma.speaker.mimi
    stream = MimiStream(mimi, slots=3)
    codes = random_codes(3, 30)
    turns = [(0,), (0, 2), (2, 1, 0), (1,), (1, 2), (0,)] * 5
    heard = {slot: [] for slot in range(3)}
    for turn in turns:
        frames = torch.stack([codes[slot, len(heard[slot])] for slot in turn])
        for slot, sound in zip(turn, stream.decode(frames, torch.tensor(turn)), strict=True):
            heard[slot].append(sound)
    for slot, sounds in heard.items():
        expected = whole(mimi, codes[slot : slot + 1, : len(sounds)])[0]
        assert (torch.cat(sounds) - expected).abs().max() <= CLOSE


def test_in_place_a_row_that_waits_keeps_its_state(chroma):
    """Before each of its frames row 1 waits twice, and the spare slot takes its place: with the next frame
    all that its slot keeps is as if it never had."""
    mimi, spare = chroma.speaker.mimi, 2
    waits, never = MimiStream(mimi, slots=3), MimiStream(mimi, slots=3)
    codes = random_codes(2, 140)
    for frame in range(140):
        for _ in range(2):
            waits.decode(codes[:, frame], torch.tensor([0, spare]), in_place=True)
        sound = waits.decode(codes[:, frame], torch.tensor([0, 1]), in_place=True)[1]
        expected = never.decode(codes[1:, frame], torch.tensor([1]))[0]
        assert (sound - expected).abs().max() <= CLOSE
    for kept, expected in zip(waits._states, never._states, strict=True):
        assert torch.allclose(kept[1], expected[1], atol=CLOSE)


def test_a_slot_that_is_reset_starts_anew(chroma):
    mimi = chroma.speaker.mimi
    stream = MimiStream(mimi, slots=2)
    slot, codes = torch.tensor([1]), random_codes(1, 6)
    for frame in range(6):
        stream.decode(codes[:, frame], slot)
    stream.reset(1)
    sound = torch.cat([stream.decode(codes[:, frame], slot) for frame in range(6)], dim=1)
    assert (sound - whole(mimi, codes)).abs().max() <= CLOSE


def test_codes_over_the_codebook_are_clamped(chroma):
    """The audio vocabulary has three specials that the codec does not know."""
    stream = MimiStream(chroma.speaker.mimi, slots=2)
    over, last = torch.full((1, 8), 66), torch.full((1, 8), 63)
    above = stream.decode(over, torch.tensor([0]))
    assert torch.equal(above, stream.decode(last, torch.tensor([1])))


def test_a_voice_encodes_to_the_reference_codes(chroma, cases):
    codes = encode(chroma.speaker.mimi, torch.from_numpy(cases["long"]["ref_audio_24k"]), 8)
    assert codes.T.tolist() == cases["long"]["prompt_codes"].tolist()
