"""A whole Chroma model in memory: everything between a request and its frames, loaded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniThinkerConfig

from engine.api import EngineError
from engine.chroma.checkpoint import Checkpoint
from engine.chroma.config import ChromaConfig, parse_config, read_config
from engine.chroma.fused import fuse
from engine.chroma.graphs import CudaRecorder, Graphs, Recorder
from engine.chroma.hearing import Hearing, embedding_count
from engine.chroma.llama import KvPool
from engine.chroma.random_weights import RandomCheckpoint, byte_tokenizer, random_config
from engine.chroma.reasoner import Reasoner
from engine.chroma.shapes import RANDOM, SHAPES
from engine.chroma.speaker import Speaker
from engine.chroma.text import ChatPrompt, load_tokenizer
from engine.chroma.thinker import LocalReasoner
from engine.settings import Runner, Weights
from engine.sglang.installed import why_not


@dataclass(frozen=True, slots=True)
class ChromaModel:
    """The parts of one loaded checkpoint."""

    config: ChromaConfig
    checkpoint: Checkpoint
    tokenizer: Any
    prompt: ChatPrompt
    hearing: Hearing
    reasoner: Reasoner
    speaker: Speaker
    graphs: dict[str, Graphs]
    """The recorded steps of each part."""

    @torch.inference_mode()
    def voice_embeddings(self, transcript: list[int], codes: torch.Tensor) -> torch.Tensor:
        """What the Backbone hears of a reference voice before an answer: [positions, hidden].

        Args:
            transcript: token ids of what the reference says.
            codes: int64 [frames, codebooks] of the reference.
        """
        ids = [self.config.text_start, *transcript, self.config.text_end]
        text = self.reasoner.embed(ids).to(self.speaker.frames.dtype)
        sound = self.speaker.frames.embed_frames(codes.to(text.device))
        silence = torch.zeros(1, text.shape[1], dtype=text.dtype, device=text.device)
        return torch.cat((text, sound, silence))

    @torch.inference_mode()
    def voice_prompt(self, transcript: list[int], codes: torch.Tensor) -> KvPool:
        """Backbone keys and values of `voice_embeddings`; they depend on the voice alone."""
        return self.speaker.frames.prefill(self.voice_embeddings(transcript, codes))


def pick_device(name: str) -> torch.device:
    """`auto` is a GPU where there is one.

    Raises:
        EngineError: `device_unavailable`.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        raise EngineError(
            "device_unavailable", f"device {name!r} cannot be used here; try --device cpu"
        ) from None
    return device


def use_device(device: torch.device) -> None:
    """Make a GPU this thread's own, which streams and graphs go by; one without a number is it already."""
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)


def pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """`auto` is bfloat16 on a GPU and float32 on a CPU.

    Raises:
        EngineError: `invalid_setting`.
    """
    if name == "auto":
        return torch.float32 if device.type == "cpu" else torch.bfloat16
    dtype = getattr(torch, name, None)
    if dtype not in (torch.float32, torch.bfloat16, torch.float16):
        raise EngineError("invalid_setting", f"dtype {name!r} is not one of auto, float32, bfloat16, float16")
    return dtype


def pick_reasoner(name: Runner, device: torch.device, *, weights: Weights, tp: int) -> Runner:
    """`auto` is SGLang where there are a GPU and SGLang, but with 8-bit weights, which are our own.

    Raises:
        EngineError: `invalid_setting`.
    """
    if name == "auto":
        fit = device.type == "cuda" and weights == "full" and why_not() is None
        name = "sglang" if fit or tp > 1 else "transformers"
    if tp > 1 and name != "sglang":
        raise EngineError(
            "invalid_setting", "--tp shares the Reasoner among GPUs by SGLang: --reasoner sglang"
        )
    return name


def pick_recorder(device: torch.device, *, cuda_graphs: bool) -> Recorder | None:
    """CUDA graphs where there is a GPU and they are wanted."""
    return CudaRecorder(device) if cuda_graphs and device.type == "cuda" else None


def _open(folder: Path | str) -> tuple[ChromaConfig, Checkpoint, Any]:
    name = str(folder)
    if not name.startswith(RANDOM):
        return read_config(Path(folder)), Checkpoint(Path(folder)), load_tokenizer(Path(folder))
    shape, tokenizer = name.removeprefix(RANDOM), byte_tokenizer()
    if shape not in SHAPES:
        raise EngineError(
            "model_not_found",
            f"there is no model of random weights called {shape!r}, only {', '.join(SHAPES)}",
        )
    config = parse_config(random_config(shape, tokenizer), Path(name))
    return config, RandomCheckpoint(shape, config), tokenizer


def load_model(
    folder: Path | str,
    *,
    slots: int,
    top_k: int,
    device: torch.device,
    dtype: torch.dtype,
    weights: Weights = "full",
    context: int | None = None,
    recorder: Recorder | None = None,
    fused_kernels: bool = False,
    runner: Runner = "transformers",
    tp: int = 1,
    sglang: Sequence[tuple[str, str]] = (),
) -> ChromaModel:
    """Load every part of a checkpoint folder.

    Args:
        folder: of the checkpoint; or `random:` and a name from `engine.chroma.shapes`, for a model of that
            size with random weights.
        recorder: makes graphs of the steps; without, they run as they are (see `pick_recorder`).
        fused_kernels: see `engine.chroma.fused`; of no use on a CPU.
        slots: answers at once; twice as many prompts are kept, so that a turn finds the one before it.
        runner: of the Reasoner, as `pick_reasoner` gives it.
        tp, sglang: see `EngineSettings`.

    Raises:
        EngineError: the folder does not hold a whole Chroma checkpoint, or kernels cannot be fused here.
    """
    fuse(fused_kernels and device.type == "cuda")
    config, checkpoint, tokenizer = _open(folder)
    thinker = Qwen2_5OmniThinkerConfig(**config.thinker)
    graphs = {"hearing": Graphs(recorder), "Speaker": Graphs(recorder)}
    hearing = Hearing(thinker, checkpoint, dtype=dtype, device=device, graphs=graphs["hearing"])
    speaker = Speaker(
        config,
        checkpoint,
        slots=slots,
        top_k=top_k,
        dtype=dtype,
        device=device,
        weights=weights,
        graphs=graphs["Speaker"],
    )
    reasoner: Reasoner
    if runner == "sglang":
        from engine.sglang.setup import open_reasoner

        # The last to be loaded: it takes most of what the others leave of a GPU's memory.
        reasoner = open_reasoner(
            config,
            checkpoint,
            block=embedding_count(hearing.block),
            answers=slots,
            context=context,
            dtype=dtype,
            device=device,
            tp=tp,
            options=sglang,
        )
    else:
        graphs["Reasoner"] = Graphs(recorder)
        reasoner = LocalReasoner(
            config,
            checkpoint,
            slots=2 * slots,
            batch=slots,
            context=context,
            dtype=dtype,
            device=device,
            weights=weights,
            graphs=graphs["Reasoner"],
        )
    return ChromaModel(
        config=config,
        checkpoint=checkpoint,
        tokenizer=tokenizer,
        prompt=ChatPrompt(tokenizer, config.audio_token),
        hearing=hearing,
        reasoner=reasoner,
        speaker=speaker,
        graphs=graphs,
    )
