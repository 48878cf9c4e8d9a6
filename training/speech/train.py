"""Backbone and Decoder on frames, with holes in what they hear of their own past.

Without the holes the model copies its past and does not listen to the text.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from training.codec.encoder import Coder, Ear
from training.run import Run, pick_device
from training.shapes import WIDTH
from training.speech.data import Answer, AnswerDraw
from training.speech.model import SpeechModel
from training.speech.packing import Packed, pack
from training.tokens import Encoder

_MOST_MASKED = 0.6
"""Up to this share of an answer's own frames is not heard."""
_DECODED = 0.35
"""Share of frames on which the Decoder is trained in a step, as in CSM (sesame/csm-1b)."""
_WEIGHTS = (1.0, 0.8, 0.6, 0.3, 0.2, 0.2, 0.2)
"""Of codebooks 1 to 7 in the loss: where those of 0 to 3 are right, the others change no word."""


def speech_loss(
    model: SpeechModel, batch: Packed, table: torch.Tensor, states: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, dict[str, float]]:
    """Cross entropy of codebook 0 at every frame and of the others at some, and shares that are right.

    Args:
        table: the Reasoner's embeddings [vocabulary, width], not trained here.
        states: hidden states [N, width] of the Reasoner to draw from. Each pair hears that of some other
            token: what is spoken then depends on the words, whatever the Reasoner thought beside.
    """
    device = table.device
    hidden = model.hear(
        _inputs(model, batch, table, states, generator), batch.rotary.to(device), batch.hears.to(device)
    )
    asked = batch.asked.to(device)
    at = hidden.flatten(0, 1)[batch.asked_at.to(device)]
    logits = model.codebook0(at)
    loss0 = nn.functional.cross_entropy(logits, asked[:, 0])
    some = (torch.rand(len(asked), generator=generator) < _DECODED).to(device)
    logits_rest = model.codebooks(at[some], asked[some])
    losses = nn.functional.cross_entropy(
        logits_rest.transpose(1, 2), asked[some, 1:], reduction="none"
    ).mean(0)  # fmt: skip
    right = float((logits.argmax(1) == asked[:, 0]).float().mean())
    figures = {"book0": float(loss0.detach()), "right0": right}
    figures |= {f"book{book}": float(losses[book - 1].detach()) for book in (1, 2, 3)}
    figures["rest"] = float(losses.detach().mean())
    return loss0 + losses @ losses.new_tensor(_WEIGHTS), figures


def _inputs(
    model: SpeechModel, batch: Packed, table: torch.Tensor, states: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """What the Backbone hears, [B, T, width]."""
    device = table.device
    inputs = torch.zeros(batch.shape[0] * batch.shape[1], WIDTH, device=device)
    inputs[batch.text_at] = table[batch.text]
    inputs[batch.words_at] = table[batch.words]
    drawn = torch.randint(len(states), (len(batch.states_at),), generator=generator)
    inputs[batch.states_at] = states[drawn].float().to(device)
    # Frames of references are all heard; of an answer's own, some, as many as was drawn for the answer.
    share = torch.rand(int(batch.own.max()) + 1, generator=generator) * _MOST_MASKED
    missed = torch.where(batch.own < 0, 0.0, share[batch.own.clamp_min(0)])
    heard = torch.rand(len(missed), generator=generator) >= missed
    sums = model.embed(batch.frames.to(device)).sum(1) * heard.to(device)[:, None]
    return inputs.index_put((batch.frames_at.to(device),), sums).view(*batch.shape, WIDTH)


def train_speech(
    folder: Path,
    answers: list[Answer],
    encoder: Encoder,
    coder: Coder,
    table: torch.Tensor,
    states: torch.Tensor,
    *,
    name: str,
    seconds: float,
    rate: float,
    start: dict[str, torch.Tensor] | None = None,
    ear: Ear | None = None,
    new: float = 0.0,
    seed: int = 51,
) -> None:
    """Train into `NAME.pt`, from `start` or from new weights. `ear`, `new`: see `AnswerDraw`."""
    torch.manual_seed(seed)
    device = pick_device()
    model = SpeechModel()
    if start is not None:
        model.load_state_dict(start)
    model = model.to(device).train()
    run = Run(folder, name, model, seconds=seconds, rate=rate)
    generator = torch.Generator().manual_seed(seed + run.step)
    table = table.to(device)
    for batch in AnswerDraw(answers, encoder, coder, seed + run.step, ear=ear, new=new).batches():
        if run.over:
            break
        # On a CPU with bfloat16 units, twice as fast.
        with torch.autocast(device.type, torch.bfloat16):
            loss, figures = speech_loss(model, pack(batch), table, states, generator)
        run.take(loss, **figures)
    run.keep()
