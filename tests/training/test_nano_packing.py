"""Several answers behind one reference hear what each would hear alone."""

import numpy as np
import torch

from training.shapes import CODEBOOKS, WIDTH
from training.speech.data import Row
from training.speech.layout import lay_out
from training.speech.model import SpeechModel
from training.speech.packing import pack

RNG = np.random.default_rng(0)
TEXT = np.array([1, 40, 41, 2])
REFERENCE = RNG.integers(0, 500, (6, CODEBOOKS))


def row(*answers: tuple[int, int]) -> Row:
    """Answers of so many pairs and frames."""
    layouts = [
        lay_out(TEXT, REFERENCE, pairs, RNG.integers(0, 500, (frames, CODEBOOKS)))
        for pairs, frames in answers
    ]
    return Row(layouts, [RNG.integers(50, 90, len(layout.pairs_at)) for layout in layouts])


def heard(model: SpeechModel, rows: list[Row]) -> torch.Tensor:
    """What the Backbone makes of every place that is asked for a frame; a hidden state is all ones."""
    batch = pack(rows)
    table = torch.randn(100, WIDTH, generator=torch.Generator().manual_seed(1))
    inputs = torch.zeros(batch.shape[0] * batch.shape[1], WIDTH)
    inputs[batch.text_at], inputs[batch.words_at] = table[batch.text], table[batch.words]
    inputs[batch.states_at] = 1.0
    inputs[batch.frames_at] = model.embed(batch.frames).sum(1)
    hidden = model.hear(inputs.view(*batch.shape, WIDTH), batch.rotary, batch.hears)
    return hidden.flatten(0, 1)[batch.asked_at]


@torch.inference_mode()
def test_answers_hear_the_reference_and_not_each_other():
    torch.manual_seed(0)
    model = SpeechModel().eval()
    first, second, third = row((3, 9)), row((5, 4)), row((2, 12))
    together = Row([*first.layouts, *second.layouts], [*first.words, *second.words])
    alone = torch.cat([heard(model, [each]) for each in (first, second, third)])
    assert torch.allclose(heard(model, [together, third]), alone, atol=1e-5)
    # And it would be seen if they heard something else.
    assert not torch.allclose(heard(model, [second]), heard(model, [row((5, 4))]), atol=1e-2)


def test_every_place_is_taken_once():
    batch = pack([row((3, 9), (1, 2)), row((4, 7))])
    answer_parts = torch.cat((batch.text_at, batch.states_at, batch.words_at, batch.frames_at))
    assert len(answer_parts.unique()) == len(answer_parts)
    assert batch.asked.shape == (9 + 1 + 2 + 1 + 7 + 1, CODEBOOKS)
    assert batch.own.max() == 2
    assert int((batch.own == -1).sum()) == 2 * len(REFERENCE)
