"""Milliseconds a frame: the frame loop beside transformers' own generate loop, in one run.

    python -m benchmarks.frames CHECKPOINT

CHECKPOINT holds golden cases (`.npz`), of which the longest is answered by both; or it is `random:chroma-4b`
or `random:chroma-mid`, a size with random weights. Text, Backbone, Decoder, codec and PCM are in the time;
loading, the voice prompt and hearing are not. Both must give the same frames, those of the reference where
there are any, or nothing is reported. The baseline takes one request at a time, as the published server does:
N requests cost it N times as long, so its time a frame is that of one request, measured beside each batch.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import transformers

from benchmarks.baseline import Baseline
from engine.chroma import parity
from engine.chroma.model import (
    ChromaModel,
    load_model,
    pick_device,
    pick_dtype,
    pick_recorder,
    use_device,
)

FRAME_MS = 80.0

Case = dict[str, np.ndarray]


def median_ms(run: Callable[[], object], repeats: int, device: torch.device) -> float:
    """Median wall-clock time of `run` in milliseconds, after one run to warm up."""
    times = []
    for _ in range(repeats + 1):
        _wait(device)
        begin = time.perf_counter()
        run()
        _wait(device)
        times.append((time.perf_counter() - begin) * 1000)
    return statistics.median(times[1:])


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


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


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frames", description=__doc__)
    parser.add_argument("model", metavar="CHECKPOINT")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--frames", type=int, default=50, help="of an answer of random weights")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    device = pick_device(options.device)
    use_device(device)
    dtype = pick_dtype(options.dtype, device)
    chroma = load_model(
        options.model,
        slots=max(options.batches),
        top_k=50,
        device=device,
        dtype=dtype,
        context=1024,
        recorder=pick_recorder(device, cuda_graphs=True),
    )
    cases = [dict(np.load(path)) for path in Path(options.model).glob("*.npz")]
    case = max(cases, key=lambda each: len(each["codes"])) if cases else random_case(chroma, options.frames)
    frames = len(case["codes"])

    baseline = Baseline(chroma)
    codes = torch.from_numpy(case["prompt_codes"].T.copy())
    voice = chroma.voice_embeddings(case["prompt_text_ids"].tolist(), codes)
    alone = parity.job(chroma, "baseline", case, codes)
    wanted = baseline.answer(alone, voice)[0]
    if cases and wanted != case["codes"].tolist():
        print("frames: the baseline does not give the reference's frames", file=sys.stderr)
        return 1

    rows = []
    for batch in options.batches:
        jobs = [parity.job(chroma, f"{index}", case, codes) for index in range(batch)]
        for answer in parity.play(chroma, jobs):
            if [list(codes) for codes in answer.codes] != wanted:
                print(f"frames: batch {batch} and the baseline make different frames", file=sys.stderr)
                return 1
        ours = median_ms(partial(parity.play, chroma, jobs), options.repeats, device)
        theirs = median_ms(partial(baseline.answer, alone, voice), options.repeats, device)
        rows.append((batch, ours / frames, ours / frames / batch, theirs / frames))

    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{platform.machine()} CPU"
    print(
        f"{options.model}: {where}, {options.threads} threads, {str(dtype).removeprefix('torch.')},"
        f" torch {torch.__version__}, transformers {transformers.__version__}; {frames} frames an answer,"
        f" median of {options.repeats}"
    )
    print(
        "| answers at once | frame loop, ms a turn | ms a frame | RTF of one session"
        " | generate loop, ms a frame | times faster a frame |"
    )
    print("|---:|---:|---:|---:|---:|---:|")
    for batch, turn, each, theirs in rows:
        cells = (
            f"{batch} | {turn:.2f} | {each:.2f} | {turn / FRAME_MS:.3f} | {theirs:.2f} | {theirs / each:.1f}"
        )
        print(f"| {cells} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
