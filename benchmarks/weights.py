"""What weights of 8 bits change: `python -m benchmarks.weights MODEL`.

MODEL is a checkpoint with golden cases (`.npz`) beside it, or `random:` and a size. The full model answers,
greedily; then both are asked, at each place of that answer and of each codebook, what comes next. So one
difference never leads to the next.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.frames import Case, random_case
from benchmarks.report import Report, add_options, table, where
from engine.chroma import parity
from engine.chroma.frames import DECODER_LAG
from engine.chroma.llama import KvPool
from engine.chroma.model import ChromaModel, load_model, pick_device, pick_dtype
from engine.chroma.schedule import Schedule


@dataclass(frozen=True, slots=True)
class Asked:
    """One answer: the voice [positions, hidden], the Reasoner's pairs, each [2, hidden], of which the last
    ends the text, and the codes int64 [frames, codebooks]."""

    voice: torch.Tensor
    pairs: list[torch.Tensor]
    codes: torch.Tensor


def answer(chroma: ChromaModel, case: Case) -> Asked:
    """What a model answers to a case."""
    codes = torch.from_numpy(case["prompt_codes"].T.copy())
    (said,) = parity.play(chroma, [parity.job(chroma, "answer", case, codes)])
    words = chroma.reasoner.embed(said.tokens)
    return Asked(
        chroma.voice_embeddings(case["prompt_text_ids"].tolist(), codes),
        [torch.stack(pair) for pair in zip(said.hidden, words, strict=True)],
        torch.tensor(said.codes, device=words.device),
    )


@torch.inference_mode()
def logits(chroma: ChromaModel, asked: Asked) -> torch.Tensor:
    """What a model expects at each place of an answer: float32 [frames, codebooks, vocab]."""
    frames, config, codes = chroma.speaker.frames, chroma.config, asked.codes
    heard, ends, waiting = [asked.voice], [], list(asked.pairs)
    schedule = Schedule(position=len(asked.voice))
    for index in range(len(codes)):
        if schedule.frames > 0:
            heard.append(frames.embed_frames(codes[index - 1])[None])
        pair = waiting.pop(0) if schedule.wants_pair else None
        if pair is not None:
            heard.append(pair)
        schedule.advance(last_pair=not waiting)
        ends.append(schedule.position - 1)
    x = torch.cat(heard)[None]
    nowhere = torch.zeros(len(codes), dtype=torch.int64, device=x.device)
    pool = KvPool.of(config.backbone, 1, x.shape[1], x.dtype, x.device)
    hidden = frames.backbone.model(x, pool, None, nowhere[:1], x.shape[1])[0, ends]
    first = frames.backbone.codebook0_head(hidden)
    offsets = torch.arange(config.codebooks - 1, device=x.device) * config.backbone.vocab
    inputs = torch.cat((hidden[:, None], F.embedding(codes[:, :-1] + offsets, frames.table)), dim=1)
    pool = KvPool.of(config.decoder, len(codes), config.codebooks, x.dtype, x.device)
    out = frames.decoder.model(
        frames.decoder.projection(inputs), pool, None, nowhere, config.codebooks, DECODER_LAG
    )
    others = torch.einsum("fch,chv->fcv", out[:, 1:], frames.decoder.codebook_head.weight)
    return torch.cat((first[:, None], others), dim=1).float()


HEAD = ("codebook", "same code, %", "logits apart, most", "mean", "KL, nats")


def rows(full: torch.Tensor, other: torch.Tensor) -> list[tuple[str, ...]]:
    """How far other logits [frames, codebooks, vocab] are from the full model's, a row a codebook."""
    apart = (full - other).abs()
    logs = other.log_softmax(-1), full.log_softmax(-1)
    divergence = F.kl_div(*logs, log_target=True, reduction="none").sum(-1)
    same = (full.argmax(-1) == other.argmax(-1)).float()
    return [
        (
            f"{index}",
            f"{100 * same[:, index].mean():.1f}",
            f"{apart[:, index].max():.3f}",
            f"{apart[:, index].mean():.4f}",
            f"{divergence[:, index].mean():.2e}",
        )
        for index in range(full.shape[1])
    ]


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m benchmarks.weights", description=__doc__)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--frames", type=int, default=50, help="of an answer of random weights")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    add_options(parser)
    options = parser.parse_args(arguments)
    device = pick_device(options.device)
    dtype = pick_dtype(options.dtype, device)
    load = partial(load_model, options.model, slots=1, top_k=50, device=device, dtype=dtype, context=1024)
    chroma = load()
    cases = [dict(np.load(path)) for path in sorted(Path(options.model).glob("*.npz"))]
    asked = [answer(chroma, case) for case in cases or [random_case(chroma, options.frames)]]
    full = torch.cat([logits(chroma, each) for each in asked])
    codes = torch.cat([each.codes for each in asked])
    del chroma
    chroma = load(weights="int8")
    other = torch.cat([logits(chroma, each) for each in asked])
    # Below float32 even the full model may say another code where positions are heard all at once.
    again = 100 * (full.argmax(-1) == codes).float().mean()
    report = Report("How far int8 weights are from the full model", "weights", arguments)
    report.add(
        f"{where(options.model, device, dtype)}; {len(codes)} frames, of which the full model,"
        f" asked again, says {again:.1f} %."
    )
    report.add(table(HEAD, rows(full, other)))
    report.keep(options, device)
    return 0


if __name__ == "__main__":
    sys.exit(main())
