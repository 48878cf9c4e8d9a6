"""Backbone and Decoder in training: what each codebook may know."""

import torch

from training.shapes import CODEBOOKS, WIDTH
from training.speech.model import SpeechModel


def test_every_codebook_hears_the_hidden_state_and_those_before_it_alone():
    torch.manual_seed(0)
    model = SpeechModel()
    hidden = torch.randn(2, WIDTH, requires_grad=True)
    codes = torch.randint(0, 500, (2, CODEBOOKS))
    logits = model.codebooks(hidden, codes)
    for codebook in range(CODEBOOKS - 1):
        (heard,) = torch.autograd.grad(logits[:, codebook].sum(), hidden, retain_graph=True)
        assert heard.abs().max() > 1e-3, f"codebook {codebook + 1} does not hear the Backbone"
    for changed in range(CODEBOOKS):
        others = codes.clone()
        others[:, changed] = (others[:, changed] + 1) % 500
        moved = (model.codebooks(hidden, others) - logits).abs().amax((0, 2)) > 1e-6
        assert moved.tolist() == [codebook >= changed for codebook in range(CODEBOOKS - 1)]
