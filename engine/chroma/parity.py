"""Replay golden cases through the code that serves: `python -m engine.chroma.parity DIR`.

DIR holds a checkpoint and `.npz` cases of the reference implementation's greedy answers. Each case is
submitted to the frame loop as a request would be. Text tokens, voice codes and frames must match
exactly; hidden states and sound within `TOLERANCE`. Exits 1 on any mismatch.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from engine.api import EngineError
from engine.chroma.hearing import embedding_count
from engine.chroma.mimi import encode
from engine.chroma.model import ChromaModel, load_model, pick_device, pick_dtype
from engine.chroma.reasoner import ReasonerPrompt, Thought
from engine.chroma.speaker import Sampling, Spoken
from engine.runtime.job import Job, Reason, Said
from engine.runtime.loop import FrameLoop

TOLERANCE = 1e-4
GREEDY = Sampling(temperature=0.0, seed=0)


@dataclass
class Answer:
    """Collects one answer as the loop makes it."""

    tokens: list[int] = field(default_factory=list)
    hidden: list[torch.Tensor] = field(default_factory=list)
    codes: list[tuple[int, ...]] = field(default_factory=list)
    pcm: bytearray = field(default_factory=bytearray)
    kept: int = 0
    reason: Reason | None = None
    error: EngineError | None = None

    def thought(self, thought: Thought) -> Said:
        self.tokens.append(thought.token)
        self.hidden.append(thought.pair.rows[0])
        return Said((thought.pair,))

    def begun(self, kept: int) -> None:
        self.kept = kept

    def spoken(self, spoken: Spoken) -> None:
        self.codes.append(spoken.codes)
        self.pcm += spoken.pcm

    def finished(self, reason: Reason, error: EngineError | None) -> None:
        self.reason, self.error = reason, error


def job(
    chroma: ChromaModel, name: str, case: dict[str, np.ndarray], codes: torch.Tensor | None = None
) -> Job:
    """The job that a golden case asks for. `codes` of the reference voice [frames, codebooks]; without, its
    sound is encoded."""
    if codes is None:
        codes = encode(chroma.speaker.mimi, torch.from_numpy(case["ref_audio_24k"]), chroma.config.codebooks)
    voice = chroma.voice_prompt(case["prompt_text_ids"].tolist(), codes)
    sound = chroma.hearing.hear(case["user_audio_16k"])
    prompt = ReasonerPrompt(case["thinker_input_ids"].tolist(), sound, int(case["im_end_token_id"]))
    return Job(name, prompt, voice, GREEDY, max_frames=len(case["codes"]))


def play(chroma: ChromaModel, jobs: list[Job]) -> list[Answer]:
    """Answer some jobs at once, to the end."""
    loop = FrameLoop(chroma.reasoner, chroma.speaker)
    answers = [Answer() for _ in jobs]
    for one, answer in zip(jobs, answers, strict=True):
        loop.submit(one, answer)
    while loop.busy:
        loop.turn()
    return answers


def mismatches(chroma: ChromaModel, case: dict[str, np.ndarray], answer: Answer) -> dict[str, str | None]:
    """What differs in each part of an answer; None where it matches."""
    voice = encode(chroma.speaker.mimi, torch.from_numpy(case["ref_audio_24k"]), chroma.config.codebooks)
    expected_tokens = case["text_token_ids"]
    # The reference stops where its frames end; the loop's text may have run ahead of that.
    tokens = np.array(answer.tokens[: len(expected_tokens)])
    hidden = torch.stack(answer.hidden[: len(expected_tokens)]).float().cpu().numpy()
    frames = np.array(answer.codes)
    sound = np.frombuffer(bytes(answer.pcm), dtype=np.int16) / 32767
    return {
        "mel": _differ(
            np.array([embedding_count(int(case["feature_length"]))]),
            np.array([int((case["thinker_input_ids"] == chroma.config.audio_token).sum())]),
        ),
        "voice": _differ(voice.cpu().numpy(), case["prompt_codes"].T),
        "text": _differ(tokens, expected_tokens),
        "frames": _differ(frames, case["codes"]),
        "hidden": _far(hidden, case["text_hidden"], TOLERANCE),
        # Sound leaves as PCM16: half a step of it is no difference.
        "sound": _far(sound, np.clip(case["audio_24k"], -1, 1), TOLERANCE + 0.5 / 32767),
    }


def _differ(got: np.ndarray, expected: np.ndarray) -> str | None:
    if got.shape != expected.shape:
        return f"shape {got.shape}, expected {expected.shape}"
    wrong = np.argwhere(got != expected)
    if not len(wrong):
        return None
    return f"{len(wrong)} of {expected.size} differ, first at {tuple(wrong[0].tolist())}"


def _far(got: np.ndarray, expected: np.ndarray, tolerance: float) -> str | None:
    if got.shape != expected.shape:
        return f"shape {got.shape}, expected {expected.shape}"
    most = float(np.abs(got - expected).max())
    return None if most <= tolerance else f"off by {most:.2e}, more than {tolerance:.1e}"


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m engine.chroma.parity", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="a checkpoint with .npz cases beside it")
    parser.add_argument("--reasoner", choices=["transformers", "sglang"], default="transformers")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--weights", choices=["full", "int8"], default="full")
    options = parser.parse_args(arguments)
    cases = sorted(options.folder.glob("*.npz"))
    if not cases:
        print(f"parity: {options.folder} holds no .npz case", file=sys.stderr)
        return 1
    try:
        device = pick_device(options.device)
        dtype = pick_dtype(options.dtype, device)
        chroma = load_model(
            options.folder,
            slots=1,
            top_k=50,
            device=device,
            dtype=dtype,
            weights=options.weights,
            runner=options.reasoner,
        )
    except EngineError as error:
        print(f"parity: {error.message}", file=sys.stderr)
        return 1
    failed = 0
    for path in cases:
        case = dict(np.load(path))
        answer = play(chroma, [job(chroma, path.stem, case)])[0]
        if answer.error is not None:
            print(f"{path.stem}: failed: {answer.error.message}")
            failed += 1
            continue
        found = mismatches(chroma, case, answer)
        failed += any(found.values())
        print(f"{path.stem}: " + ", ".join(f"{part} {wrong or 'ok'}" for part, wrong in found.items()))
    chroma.reasoner.close()
    print(f"{len(cases) - failed} of {len(cases)} cases match")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
