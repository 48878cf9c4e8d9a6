"""Murmured questions, told unclearly: the Reasoner has to make out what was meant."""

from pathlib import Path

import torch

from training.reasoner.text import blurred
from training.tokens import Encoder

KEPT = Path(__file__).parents[2] / "training" / "kept" / "nano"


def test_some_murmured_tokens_are_mixed_with_other_words_and_nothing_else_is():
    encoder = Encoder(KEPT)
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(encoder.tokenizer.get_vocab_size(), 256, generator=generator)
    heard = [encoder.audio, *encoder(" repeat"), encoder.audio, *encoder(" moon"), encoder.audio]
    begin, end = encoder.id("<|audio_bos|>"), encoder.id("<|audio_eos|>")
    row = [*encoder("user\n"), begin, *heard, end, *encoder("assistant\n moon.")]
    ids = torch.tensor([row] * 200)
    told = blurred(table, ids, encoder, generator)
    away = (told - table[ids]).norm(dim=2) / table[ids].norm(dim=2)
    inside = slice(row.index(begin) + 1, row.index(end))
    assert away[:, : inside.start].max() == away[:, inside.stop :].max() == 0
    unclear = (away[:, inside] > 0).float().mean()
    assert 0.3 < unclear < 0.6
    assert away.max() < 1.2
    # What it was is still the nearest word for most.
    word = inside.start + heard.index(encoder(" moon")[0])
    nearest = torch.cdist(told[:, word], table).argmin(1)
    assert (nearest == ids[0, word]).float().mean() > 0.85


def test_a_typed_conversation_is_as_it_was():
    encoder = Encoder(KEPT)
    table = torch.randn(encoder.tokenizer.get_vocab_size(), 256)
    ids = torch.tensor([encoder("What is two plus three?")])
    assert torch.equal(blurred(table, ids, encoder, torch.Generator()), table[ids])
