"""Milliseconds a frame: part by part, beside the memory floor, and beside transformers' own generate loop.

    python -m benchmarks.frames CHECKPOINT

CHECKPOINT holds golden cases (`.npz`), of which the longest is answered; or it is `random:chroma-4b` or
`random:chroma-mid`, a size with random weights.

The first table is the step that makes a frame of each answer in a batch: Backbone, Decoder, sampling, codec
and PCM, without text. Beside it, in the same run: the bytes that it must read at the bandwidth measured here,
and the same step without graphs.

The second table is whole answers through the frame loop, text included; loading, the voice prompt and hearing
are not. Nothing is kept unless they have the frames of the generate loop, those of the reference where there
are any; in less than float32, where rounding depends on the batch, it is told for how long they have. The
generate loop takes one request at a time, as the published server does: N requests cost it N times as long,
so its time a frame is that of one request, measured beside each batch.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.baseline import Baseline
from benchmarks.floor import cache_bytes, frame_bytes, read_bandwidth
from benchmarks.kernels import longest
from benchmarks.parts import POSITIONS_PER_FRAME, Steps
from benchmarks.report import Report, add_options, number, table, where
from benchmarks.step_times import StepTimes
from benchmarks.timing import wall_ms
from engine.chroma import parity
from engine.chroma.model import (
    ChromaModel,
    load_model,
    pick_device,
    pick_dtype,
    pick_recorder,
    use_device,
)
from engine.runtime.loop import FRAME_SECONDS, FrameLoop, Job

FRAME_MS = FRAME_SECONDS * 1000
STEP_HEAD = (
    "answers at once",
    "step, ms",
    "Backbone",
    "Decoder",
    "codec",
    "rest",
    "floor, ms",
    "times the floor",
    "RTF of one session",
    "without graphs, ms",
)
ANSWER_HEAD = (
    "answers at once",
    "frame loop, ms a turn",
    "ms a frame",
    "RTF of one session",
    "graph hits, %",
    "generate loop, ms a frame",
    "times faster a frame",
)

Case = dict[str, np.ndarray]


def random_case(chroma: ChromaModel, frames: int) -> Case:
    """A question of 5 s, a voice of 4 s and an answer of so many frames, all of it noise."""
    rng = np.random.default_rng(1)
    sound = (rng.standard_normal(5 * 16_000) * 0.1).astype(np.float32)
    audio = np.full(len(chroma.hearing.hear(sound)), chroma.config.audio_token)
    return {
        "thinker_input_ids": np.concatenate((rng.integers(256, size=60), audio, rng.integers(256, size=8))),
        "im_end_token_id": np.array(-1),
        "user_audio_16k": sound,
        "prompt_text_ids": rng.integers(256, size=40),
        "prompt_codes": rng.integers(chroma.config.codebook_size, size=(chroma.config.codebooks, 50)),
        "codes": np.zeros((frames, chroma.config.codebooks)),
    }


def answer_all(chroma: ChromaModel, jobs: list[Job]) -> list[parity.Answer]:
    """Answer some jobs at once, to the end; no answer waits for its own playback, as it would in serving."""
    loop = FrameLoop(chroma.reasoner, chroma.speaker, ahead=math.inf)
    answers = [parity.Answer() for _ in jobs]
    for job, answer in zip(jobs, answers, strict=True):
        loop.submit(job, answer)
    while loop.busy:
        loop.turn()
    return answers


def same_frames(answer: parity.Answer, wanted: list[list[int]]) -> int:
    """How many frames an answer begins with that are those wanted."""
    pairs = zip(answer.codes, wanted, strict=False)
    return next((index for index, (got, want) in enumerate(pairs) if list(got) != want), len(answer.codes))


def measure_steps(
    chroma: ChromaModel, job: Job, report: Report, options: argparse.Namespace, *, graphs: bool
) -> dict[int, float]:
    """The first table. `job`: whose voice speaks. `graphs`: the steps were recorded. Returns ms of a step by
    its batch."""
    speaker, voice = chroma.speaker, job.voice
    assert voice is not None
    device = speaker.device
    room = (speaker.frames.positions - voice.positions) // POSITIONS_PER_FRAME
    frames = max(2, min(options.frames, room) // 2 * 2)
    bandwidth, cache = read_bandwidth(device), cache_bytes(device)
    recorder = pick_recorder(device, cuda_graphs=graphs)
    steps = Steps(speaker, voice, frames=frames, repeats=options.repeats, recorder=recorder)
    rows, found = [], {}
    for batch in options.batches:
        times = steps.times(batch, eager_too=not options.no_eager)
        found[batch] = times.step
        # The frame in the middle of an answer stands for them all.
        must = frame_bytes(
            speaker, rows=batch, positions=voice.positions + frames, frames=frames // 2, cache=cache
        )
        floor = must.total / bandwidth * 1000
        numbers = (times.step, times.backbone, times.decoder, times.codec, times.rest, floor)
        rows.append(
            (
                f"{batch}",
                *(number(each, 3) for each in numbers),
                number(times.step / floor, 1),
                number(times.step / FRAME_MS, 3),
                number(times.eager, 3),
            )
        )
    must = frame_bytes(speaker, rows=1, positions=voice.positions + frames, frames=frames // 2, cache=cache)
    report.add(
        f"One frame of each answer, {frames} frames an answer. The device reads {bandwidth / 1e9:.1f} GB/s,"
        f" its last cache holds {cache / 2**20:.0f} MiB. A frame of one answer must read"
        f" {must.total / 1e6:.1f} MB: Backbone {must.backbone / 1e6:.1f}, Decoder {must.decoder / 1e6:.1f},"
        f" codec {must.codec / 1e6:.1f}, keys and values {must.keys / 1e6:.1f}."
    )
    report.add(table(STEP_HEAD, rows))
    for batch in options.kernels:
        report.add(f"Where a step of {batch} spends its time, the first of an answer and its voice included:")
        report.add(longest(partial(steps.speak, batch), frames, device))
    return found


def measure_answers(
    chroma: ChromaModel, job: Job, case: Case, report: Report, options: argparse.Namespace
) -> dict[int, float] | str:
    """The second table. Returns ms of a turn of the frame loop by its batch, or what is wrong."""
    codes = torch.from_numpy(case["prompt_codes"].T.copy())
    voice = chroma.voice_embeddings(case["prompt_text_ids"].tolist(), codes)
    baseline = Baseline(chroma)
    device, frames = chroma.speaker.device, len(case["codes"])
    exact = chroma.speaker.frames.dtype == torch.float32
    wanted = baseline.answer(job, voice)[0]
    if exact and case["codes"].any() and wanted != case["codes"].tolist():
        return "the baseline does not give the reference's frames"
    rows, same, turns = [], frames, {}
    for batch in options.batches:
        jobs = [replace(job, id=f"{index}") for index in range(batch)]
        same = min(same, *(same_frames(answer, wanted) for answer in answer_all(chroma, jobs)))
        if exact and same < frames:
            return f"batch {batch} and the baseline make different frames"
        hits, steps = graph_steps(chroma)
        ours = wall_ms(partial(answer_all, chroma, jobs), options.repeats, device) / frames
        turns[batch] = ours
        theirs = wall_ms(partial(baseline.answer, job, voice), options.repeats, device) / frames
        hits, steps = (now - then for now, then in zip(graph_steps(chroma), (hits, steps), strict=True))
        cells = (
            number(ours, 2),
            number(ours / batch, 2),
            number(ours / FRAME_MS, 3),
            number(hits / steps if steps else None, 1, factor=100),
            number(theirs, 2),
            number(theirs / ours * batch, 1),
        )
        rows.append((f"{batch}", *cells))
    report.add(
        f"Whole answers of {frames} frames, text included; the frame loop and the generate loop make the same"
        f" {'frames' if same == frames else f'first {same} frames'}."
    )
    report.add(table(ANSWER_HEAD, rows))
    return turns


def graph_steps(chroma: ChromaModel) -> tuple[int, int]:
    """Steps that were replayed so far, and steps in all; 0 and 0 without graphs."""
    counts = [graphs.counts for graphs in chroma.graphs.values()]
    hits = sum(count.hits for count in counts)
    return hits, hits + sum(count.misses for count in counts)


def sizes(chroma: ChromaModel) -> str:
    """Parameters of the parts that make frames."""
    frames = chroma.speaker.frames
    parts = {"Backbone": frames.backbone, "Decoder": frames.decoder, "Mimi": chroma.speaker.mimi}
    counts = {name: sum(each.numel() for each in part.parameters()) for name, part in parts.items()}
    return ", ".join(f"{name} {count / 1e6:.1f} M parameters" for name, count in counts.items())


def parse(arguments: list[str]) -> argparse.Namespace:
    """Options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frames", description=__doc__)
    parser.add_argument("model", metavar="CHECKPOINT")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 32, 64, 128, 256])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--frames", type=int, default=50, help="of an answer; a golden case has its own")
    parser.add_argument(
        "--context", type=int, default=512, help="tokens that each slot of the Reasoner holds"
    )
    parser.add_argument(
        "--kernels", type=int, nargs="+", default=[], metavar="BATCH", help="tell where they spend their time"
    )
    parser.add_argument("--json", type=Path, help="keep the time of a turn by its batch, for simulate")
    parser.add_argument("--no-eager", action="store_true", help="do not time the steps without graphs")
    parser.add_argument("--steps-only", action="store_true", help="no whole answers, and no generate loop")
    parser.add_argument("--no-cuda-graphs", action="store_true")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--fused-kernels", action="store_true", help="see serve")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    add_options(parser)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parse(arguments)
    torch.set_num_threads(options.threads)
    device = pick_device(options.device)
    use_device(device)
    dtype, graphs = pick_dtype(options.dtype, device), not options.no_cuda_graphs
    chroma = load_model(
        options.model,
        slots=max(options.batches),
        top_k=50,
        device=device,
        dtype=dtype,
        context=options.context,
        recorder=pick_recorder(device, cuda_graphs=graphs),
        fused_kernels=options.fused_kernels,
    )
    cases = [dict(np.load(path)) for path in Path(options.model).glob("*.npz")]
    case = max(cases, key=lambda each: len(each["codes"])) if cases else random_case(chroma, options.frames)
    job = parity.job(chroma, "alone", case, torch.from_numpy(case["prompt_codes"].T.copy()))
    report = Report("Milliseconds a frame", "frames", arguments)
    report.add(f"{where(options.model, device, dtype)}; {sizes(chroma)}; median of {options.repeats}.")
    took: dict[int, float] | str = measure_steps(chroma, job, report, options, graphs=graphs)
    if not options.steps_only:
        took = measure_answers(chroma, job, case, report, options)
    if isinstance(took, str):
        print(f"frames: {took}", file=sys.stderr)
        return 1
    report.keep(options, device)
    if options.json:
        source = f"benchmarks.frames, {where(options.model, device, dtype)}"
        options.json.write_text(StepTimes({size: ms / 1000 for size, ms in took.items()}, source).to_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
