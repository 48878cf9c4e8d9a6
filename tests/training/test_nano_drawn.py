"""nano drawing frames for its codec to learn from; a language model for louder embeddings."""

import numpy as np
import torch

from training.reasoner.text import LOUDNESS, build_text_model, quiet
from training.shapes import CODEBOOKS, WIDTH
from training.speech.drawn import Speaker
from training.speech.layout import lay_out
from training.speech.model import SpeechModel

TEXT = np.array([3, 4, 5])
GREEDY = 1e-4


def speaker(model: SpeechModel, **options) -> Speaker:
    generator = torch.Generator().manual_seed(1)
    table = torch.randn(40, WIDTH, generator=generator)
    states = torch.randn(1, WIDTH, generator=generator)
    options = {"temperatures": (GREEDY, GREEDY), "top_k": 2, "seed": 0} | options
    return Speaker(model, table, states, **options)


def test_frames_are_those_that_the_trained_layout_asks_for():
    """They are the likeliest ones where all of them are heard at once, laid out as in training."""
    torch.manual_seed(0)
    model = SpeechModel()
    speaks = speaker(model)
    reference = np.random.default_rng(2).integers(0, 500, (6, CODEBOOKS))
    words = np.array([[7, 8, 9], [9, 8, 10]])
    drawn = speaks(TEXT, reference, words)
    assert len(drawn) == 2
    for row, frames in zip(words, drawn, strict=True):
        frames = frames[:20]
        layout = lay_out(TEXT, reference, len(row), frames)
        inputs = torch.zeros(layout.length, WIDTH)
        with torch.inference_mode():
            inputs[layout.text_at] = speaks._table[layout.text]
            inputs[layout.reference_at] = model.embed(torch.from_numpy(layout.reference)).sum(1)
            inputs[layout.pairs_at] = speaks._states[0]
            inputs[layout.pairs_at + 1] = speaks._table[row[: len(layout.pairs_at)]]
            inputs[layout.frames_at] = model.embed(torch.from_numpy(layout.frames)).sum(1)
            causal = torch.ones(1, 1, layout.length, layout.length, dtype=torch.bool).tril()
            hidden = model.hear(inputs[None], torch.arange(layout.length)[None], causal)[0]
            asked = hidden[layout.asked_at[:-1]]
            assert torch.equal(model.codebook0(asked).argmax(1), torch.from_numpy(frames[:, 0]))
            rest = model.codebooks(asked, torch.from_numpy(frames)).argmax(2)
            assert torch.equal(rest, torch.from_numpy(frames[:, 1:]))


def test_an_answer_ends_where_its_end_is_drawn():
    torch.manual_seed(0)
    model = SpeechModel()
    with torch.no_grad():
        # Code 0 in every codebook but the last is the end, and here nothing is likelier.
        model.backbone.codebook0_head.weight.zero_()
        model.decoder.codebook_head.weight.zero_()
    reference = np.zeros((2, CODEBOOKS), dtype=np.int64)
    (frames,) = speaker(model, top_k=1)(TEXT, reference, np.array([[7, 8]]))
    assert frames.shape == (0, CODEBOOKS)


def test_a_model_for_loud_embeddings_is_the_same_for_quiet_ones():
    torch.manual_seed(0)
    loud = build_text_model().eval()
    with torch.no_grad():
        loud.embed_tokens.weight.normal_(std=0.08)
        for layer in loud.layers:
            layer.mlp.down_proj.weight.mul_(30)
    silent = build_text_model().eval()
    silent.load_state_dict(quiet(loud.state_dict()))
    heard = loud.embed_tokens(torch.arange(5, 25)[None])
    with torch.inference_mode():
        wanted = loud(inputs_embeds=LOUDNESS * heard, use_cache=False).last_hidden_state
        found = silent(inputs_embeds=heard, use_cache=False).last_hidden_state
        other = loud(inputs_embeds=heard, use_cache=False).last_hidden_state
    assert torch.allclose(found, wanted, atol=2e-3)
    assert not torch.allclose(other, wanted, atol=2e-2)
