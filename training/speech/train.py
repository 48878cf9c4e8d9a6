"""Backbone and Decoder on frames, with holes in what they hear of their own past.

Without the holes the model copies its past and does not listen to the text.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from training.codec.sound import Coder
from training.run import Run, pick_device
from training.shapes import WIDTH
from training.speech.data import Answer, AnswerDraw
from training.speech.layout import Layout
from training.speech.model import SpeechModel
from training.tokens import Encoder

_MOST_MASKED = 0.6
"""Up to this share of an answer's own frames is not heard."""
_DECODED = 0.35
"""Share of frames on which the Decoder is trained in a step, as in CSM (sesame/csm-1b)."""
_WEIGHTS = (1.0, 0.8, 0.6, 0.3, 0.2, 0.2, 0.2)
"""Of codebooks 1 to 7 in the loss: where those of 0 to 3 are right, the others change no word."""
_STATES_DROPPED = 0.4
"""Share of answers whose hidden states are not heard: the words alone must do."""
_STATE_NOISE = 0.3

Batch = list[tuple[Layout, torch.Tensor]]


def speech_loss(
    model: SpeechModel, batch: Batch, table: torch.Tensor, generator: torch.Generator
) -> tuple[torch.Tensor, dict[str, float]]:
    """Cross entropy of codebook 0 at every frame and of the others at some, and shares that are right.

    Args:
        table: the Reasoner's embeddings, not trained here.
    """
    device = table.device
    inputs = _inputs(model, batch, table, generator)
    hidden = model.hear(inputs)
    at = torch.cat(
        [torch.from_numpy(layout.asked_at) + row * inputs.shape[1] for row, (layout, _) in enumerate(batch)]
    ).to(device)
    asked = torch.cat([torch.from_numpy(layout.asked) for layout, _ in batch]).to(device)
    states = hidden.flatten(0, 1)[at]
    logits = model.codebook0(states)
    loss0 = nn.functional.cross_entropy(logits, asked[:, 0])
    some = (torch.rand(len(asked), generator=generator) < _DECODED).to(device)
    logits_rest = model.codebooks(states[some], asked[some])
    losses = nn.functional.cross_entropy(logits_rest.transpose(1, 2), asked[some, 1:], reduction="none").mean(
        0
    )
    right = float((logits.argmax(1) == asked[:, 0]).float().mean())
    figures = {"book0": float(loss0.detach()), "right0": right}
    figures |= {f"book{book}": float(losses[book - 1].detach()) for book in (1, 2, 3)}
    figures["rest"] = float(losses.detach().mean())
    return loss0 + losses @ losses.new_tensor(_WEIGHTS), figures


def _inputs(
    model: SpeechModel, batch: Batch, table: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    length = max(layout.length for layout, _ in batch)
    inputs = torch.zeros(len(batch), length, WIDTH, device=table.device)
    for row, (layout, pairs) in enumerate(batch):
        inputs[row, torch.from_numpy(layout.text_at)] = table[torch.from_numpy(layout.text)]
        states, words = pairs[:, 0], pairs[:, 1]
        if torch.rand((), generator=generator) < _STATES_DROPPED:
            states = torch.zeros_like(states)
        else:
            states = states + _STATE_NOISE * torch.randn(states.shape, generator=generator)
        at = torch.from_numpy(layout.pairs_at)
        inputs[row, at] = states.to(table.device)
        inputs[row, at + 1] = words.to(table.device)
    # All codes of the batch in one look-up.
    rows, places, codes, heard = [], [], [], []
    for row, (layout, _) in enumerate(batch):
        for where, frames in ((layout.reference_at, layout.reference), (layout.frames_at, layout.frames)):
            rows.append(torch.full((len(where),), row))
            places.append(torch.from_numpy(where))
            codes.append(torch.from_numpy(frames))
        heard.append(_holes(layout, generator))
    sums = model.embed(torch.cat(codes).to(table.device)).sum(1)
    sums = sums * torch.cat(heard).to(table.device)[:, None]
    return inputs.index_put((torch.cat(rows), torch.cat(places)), sums)


def _holes(layout: Layout, generator: torch.Generator) -> torch.Tensor:
    """1 where a frame is heard: all of the reference, some of the answer."""
    share = torch.rand((), generator=generator) * _MOST_MASKED
    own = torch.rand(len(layout.frames_at), generator=generator) >= share
    return torch.cat((torch.ones(len(layout.reference_at)), own.float()))


def train_speech(
    folder: Path,
    answers: list[Answer],
    encoder: Encoder,
    coder: Coder,
    table: torch.Tensor,
    *,
    name: str,
    seconds: float,
    rate: float,
    start: dict[str, torch.Tensor] | None = None,
    seed: int = 51,
) -> None:
    """Train into `NAME.pt`, from `start` or from new weights."""
    torch.manual_seed(seed)
    device = pick_device()
    model = SpeechModel()
    if start is not None:
        model.load_state_dict(start)
    model = model.to(device).train()
    run = Run(folder, name, model, seconds=seconds, rate=rate)
    generator = torch.Generator().manual_seed(seed + run.step)
    table = table.to(device)
    for batch in AnswerDraw(answers, encoder, coder, seed + run.step).batches():
        if run.over:
            break
        loss, figures = speech_loss(model, batch, table, generator)
        run.take(loss, **figures)
    run.keep()
