"""Hearing while the user speaks gives what hearing the whole gives, however the sound arrives."""

import numpy as np
import pytest
import torch

from engine.chroma.listening import Listening

RATE = 24_000


def noise(seconds: float, level: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(int(seconds * RATE)) * level


def tone(seconds: float, level: float) -> np.ndarray:
    return np.sin(np.arange(int(seconds * RATE)) * 2 * np.pi * 440 / RATE) * level


def pcm(*parts: np.ndarray) -> bytes:
    return (np.concatenate(parts).clip(-1, 1) * 32767).astype("<i2").tobytes()


def listen(hearing, sound: bytes, piece: int) -> tuple[Listening, torch.Tensor]:
    """`piece`: samples that arrive at a time."""
    listening = Listening(hearing, "a")
    for begin in range(0, len(sound), 2 * piece):
        listening.add(sound[begin : begin + 2 * piece])
    return listening, listening.finish().rows


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.7, 2.0, 2.01, 2.03, 3.99, 4.0, 7.3])
@pytest.mark.parametrize("piece", [240, 480, 1920, 50_000])
def test_pieces_give_what_the_whole_gives(chroma, seconds, piece):
    sound = pcm(noise(seconds, 0.1))
    listening, heard = listen(chroma.hearing, sound, piece)
    whole = chroma.hearing.hear_pcm(sound)
    assert heard.shape == whole.shape
    torch.testing.assert_close(heard, whole, rtol=1e-4, atol=1e-5)
    assert listening.samples == len(sound) // 2


@pytest.mark.parametrize("second", [1.0, 3.0, 4.6])
def test_a_later_louder_sound_changes_what_was_heard_before(chroma, second):
    """The trap: the loudest bin of the whole decides what counts as silence in the first block."""
    quiet = noise(second, 1e-4)
    sound = pcm(quiet, tone(1.5, 0.9), noise(2.2, 1e-3))
    early = chroma.hearing.hear_pcm(pcm(quiet, np.zeros(1)))
    whole = chroma.hearing.hear_pcm(sound)
    known = min(len(early), 50 * int(second // 2)) or 20
    assert not torch.allclose(early[:known], whole[:known], atol=1e-3)
    _, heard = listen(chroma.hearing, sound, 480)
    torch.testing.assert_close(heard, whole, rtol=1e-4, atol=1e-5)


def test_finished_blocks_are_there_before_the_end(chroma):
    sound = pcm(noise(5.0, 0.2))
    listening = Listening(chroma.hearing, "a")
    listening.add(sound[: 2 * 2 * RATE])
    assert len(listening.heard.rows) == 0, "the last frames of a block see a little of the next"
    listening.add(sound[2 * 2 * RATE :])
    assert len(listening.heard.rows) == 100
    whole = chroma.hearing.hear_pcm(sound)
    torch.testing.assert_close(listening.heard.rows, whole[:100], rtol=1e-4, atol=1e-5)


def test_only_what_the_floor_reaches_is_encoded_again(chroma, monkeypatch):
    encoded = []
    encode = chroma.hearing.encode
    monkeypatch.setattr(chroma.hearing, "encode", lambda mel: encoded.append(mel.shape[1]) or encode(mel))
    listen(chroma.hearing, pcm(noise(6.5, 0.3)), 480)
    assert encoded == [200, 200, 200, 50], "as loud all along: each block once"
    encoded.clear()
    listen(chroma.hearing, pcm(noise(2.1, 1e-4), tone(2.0, 0.9), noise(2.0, 1e-4)), 480)
    assert encoded.count(200) > 3, "the quiet first block was encoded again"


def test_a_pause_is_heard_as_the_end_of_the_sound_would_be_and_more_may_come(chroma):
    parts = [pcm(noise(2.6, 1e-2), np.zeros(1200)), pcm(tone(1.7, 0.5), np.zeros(1200)), pcm(noise(1.4, 0.1))]
    listening = Listening(chroma.hearing, "a")
    sound, marks = b"", set()
    for part in parts[:2]:
        sound += part
        listening.add(part)
        early = listening.so_far()
        torch.testing.assert_close(early.rows, chroma.hearing.hear_pcm(sound), rtol=1e-3, atol=1e-3)
        assert marks.isdisjoint(early.marks[-1:]), "each end of it is another sound"
        marks.add(early.marks[-1])
    heard = listening.finish(parts[2]).rows
    torch.testing.assert_close(heard, chroma.hearing.hear_pcm(sound + parts[2]), rtol=1e-4, atol=1e-5)


def test_what_is_heard_so_far_never_goes_by_the_name_of_what_is_heard_in_the_end(chroma):
    """Where a pause lies at the end of a block, and where louder sound follows."""
    for seconds in (1.998, 2.0, 2.01, 2.02, 2.03):
        named = {}
        listening = Listening(chroma.hearing, "a")
        for part in (noise(seconds, 1e-4), tone(0.3, 0.02), tone(0.4, 0.9), noise(1.6, 0.1)):
            listening.add(pcm(part))
            for heard in (listening.so_far(), listening.heard):
                for mark, row in zip(heard.marks, heard.rows, strict=True):
                    torch.testing.assert_close(named.setdefault(mark, row), row, rtol=1e-4, atol=1e-5)
