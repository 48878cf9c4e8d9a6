"""How fast the Reasoner is in SGLang and in this process: `python -m benchmarks.reasoner MODEL`.

So many answers are asked for at once, each to a prompt of its own with some seconds of sound, which nobody
has read before. A pair is one token of text with its hidden state, as the Speaker hears it.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Iterator, Sequence

import torch

from benchmarks.report import Report, add_options, number, percentile, table, where
from engine.chroma.model import ChromaModel, load_model, pick_device, pick_dtype, pick_recorder
from engine.chroma.reasoner import Failure, ReasonerPrompt
from engine.settings import Runner
from engine.sglang.installed import VERSION, why_not

HEAD = ("answers", "Reasoner", "first pair, ms", "last one's", "pairs a second", "of each")
_EACH_SECOND = 25
"""Embeddings of a second of sound."""
_WORDS = 40


def prompts(chroma: ChromaModel, count: int, seconds: float, seed: int) -> Iterator[ReasonerPrompt]:
    """Prompts of random words and sound, no two alike, that nothing ends."""
    config = chroma.config
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        words = torch.randint(0, 200, (_WORDS,), generator=generator).tolist()
        rows = torch.randn(int(seconds * _EACH_SECOND), config.reasoner.hidden, generator=generator)
        sound = rows.to(chroma.hearing.nothing)
        yield ReasonerPrompt([*words, *[config.audio_token] * len(rows), *words[:5]], sound, im_end=-1)


def measure(chroma: ChromaModel, asked: Sequence[ReasonerPrompt], tokens: int) -> tuple[list[float], float]:
    """Answer all at once, each with so many tokens. Returns the seconds until each one's first pair, in the
    order in which they came, and the seconds until the last pair of all.

    Raises:
        RuntimeError: an answer failed.
    """
    reasoner = chroma.reasoner
    counts = {f"{number}": 0 for number in range(len(asked))}
    first: list[float] = []
    began = time.perf_counter()
    for name, prompt in zip(counts, asked, strict=True):
        reasoner.start(name, prompt)
    while wanted := [name for name, count in counts.items() if count < tokens]:
        came = reasoner.turn(wanted)
        for each in came:
            if isinstance(each, Failure):
                raise RuntimeError(each.error.message)
            if not counts[each.request_id]:
                first.append(time.perf_counter() - began)
            counts[each.request_id] += 1
        if not came:
            time.sleep(0.0005)
    if chroma.speaker.device.type == "cuda":
        torch.cuda.synchronize(chroma.speaker.device)
    taken = time.perf_counter() - began
    for name in counts:
        reasoner.stop(name)
    return first, taken


def rows(
    chroma: ChromaModel, runner: str, answers: Sequence[int], tokens: int, seconds: float
) -> Iterator[tuple[str, ...]]:
    """A row for each number of answers."""
    # Both take memory and choose kernels in their first answers.
    measure(chroma, list(prompts(chroma, min(2, max(answers)), seconds, seed=0)), 4)
    for seed, count in enumerate(answers, start=1):
        first, taken = measure(chroma, list(prompts(chroma, count, seconds, seed)), tokens)
        yield (
            f"{count}",
            runner,
            number(percentile(first, 50), factor=1000),
            number(max(first), factor=1000),
            number(count * tokens / taken, 1),
            number(tokens / taken, 1),
        )


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reasoner", description=__doc__)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--answers", default="1,16,64", help="at once")
    parser.add_argument("--tokens", type=int, default=48, help="of each answer")
    parser.add_argument("--seconds", type=float, default=4.0, help="of sound in each prompt")
    parser.add_argument("--reasoners", default="sglang,transformers")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    add_options(parser)
    options = parser.parse_args(arguments)
    device = pick_device(options.device)
    dtype = pick_dtype(options.dtype, device)
    answers = [int(each) for each in options.answers.split(",")]
    both: tuple[Runner, ...] = ("sglang", "transformers")
    runners = [each for each in both if each in options.reasoners.split(",")]
    if "sglang" in runners and (missing := why_not()) is not None:
        print(f"benchmarks.reasoner: {missing}", file=sys.stderr)
        return 1
    report = Report("The Reasoner in SGLang and in this process", "reasoner", arguments)
    report.add(
        f"{where(options.model, device, dtype)}, SGLang {VERSION}; {options.tokens} tokens to"
        f" {options.seconds:g} s of sound."
    )
    found: list[tuple[str, ...]] = []
    for runner in runners:
        chroma = load_model(
            options.model,
            slots=max(answers),
            top_k=50,
            device=device,
            dtype=dtype,
            context=1024,
            recorder=pick_recorder(device, cuda_graphs=True),
            runner=runner,
        )
        found += rows(chroma, runner, answers, options.tokens, options.seconds)
        chroma.reasoner.close()
        # The next one needs the memory.
        del chroma
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
    report.add(table(HEAD, found))
    report.keep(options, device)
    return 0


if __name__ == "__main__":
    sys.exit(main())
