"""The quantiser as it is trained: its codes mean to transformers' Mimi what they meant in training."""

import pytest
import torch
from transformers import MimiConfig

from training.codec.quantiser import TrainedQuantiser
from training.shapes import CODEBOOKS, CODES, LATENT, codec_config


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    quantiser = TrainedQuantiser(MimiConfig(**codec_config())).train()
    for _ in range(3):
        quantiser(torch.randn(1024, LATENT), CODEBOOKS)
    return quantiser.eval()


@torch.inference_mode()
@pytest.mark.parametrize("books", [1, 3, CODEBOOKS])
def test_it_decodes_to_what_was_trained(trained, books):
    quantised, _, codes = trained(torch.randn(50, LATENT), books)
    decoded = trained.split.decode(codes.T[None])
    assert torch.allclose(decoded[0].T, quantised, atol=1e-4)


@torch.inference_mode()
def test_transformers_chooses_the_same_codes(trained):
    latent = torch.randn(50, LATENT)
    _, _, codes = trained(latent, CODEBOOKS)
    theirs = trained.split.encode(latent.T[None], CODEBOOKS)[:, 0].T
    assert (theirs == codes).float().mean() > 0.99


def test_the_first_batch_puts_codes_among_the_vectors(trained):
    _, _, codes = trained(torch.randn(2000, LATENT), CODEBOOKS)
    assert len(codes[:, 0].unique()) > CODES / 4


def test_gradients_pass_straight_through(trained):
    latent = torch.randn(8, LATENT, requires_grad=True)
    out, commitment, _ = trained(latent, CODEBOOKS)
    (out.sum() + commitment).backward()
    assert latent.grad.abs().sum() > 0
