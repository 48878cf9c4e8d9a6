"""What an engine is built from. Plain data: it crosses to the engine's process as it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Weights = Literal["full", "int8"]
"""How the layers of Reasoner, Backbone and Decoder hold their weights: as `dtype` says, or in 8 bits each."""


Runner = Literal["auto", "transformers", "sglang"]
"""What runs the Reasoner: `auto` is SGLang where there are a GPU and SGLang."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """`model` is a name of `engine.models`, a folder that holds a Chroma checkpoint, or a hub id such as
    FlashLabs/Chroma-4B."""

    model: str
    revision: str | None = None
    """Branch, tag or commit of a hub id."""
    voice: str | None = None
    """Default voice; None takes the first there is for this model."""
    voices_dir: Path | None = None
    """Folder of the user's voices; None is `engine.voices.default_folder()`."""
    device: str = "auto"
    """`auto` takes a GPU where there is one."""
    dtype: str = "auto"
    """`auto` is bfloat16 on a GPU and float32 on a CPU."""
    weights: Weights = "full"
    """`int8` takes less memory, and on a CPU less time a frame; the sound is not quite the model's own."""
    slots: int = 16
    """Most answers spoken at once."""
    admission: bool = True
    """Measure at start-up how many this machine can speak at once; without, it is trusted with all slots."""
    max_seconds: float = 120.0
    """Longest answer; the Backbone's positions may end one sooner."""
    temperature: float = 0.9
    top_k: int = 50
    context: int | None = None
    """Most tokens of a conversation and its answer; None is what the model holds, but no more than 8192."""
    cuda_graphs: bool = True
    """Record the steps of a GPU at start-up; without, each of their kernels is launched by itself."""
    fused_kernels: bool = False
    """Compile the small kernels of a GPU's steps into few."""
    reasoner: Runner = "auto"
    tp: int = 1
    """GPUs that share the Reasoner (tensor parallelism); more than one needs SGLang."""
    gpus: tuple[int, ...] = ()
    """An engine on each of these GPUs, or on each `tp` of them; none is one engine on `device`."""
    sglang: tuple[tuple[str, str], ...] = ()
    """Options of SGLang's, by its own names, as text; a flag is `true` or `false`."""
    ray: str | None = None
    """A Ray cluster whose nodes run the engines: its address, `auto`, or `local`, which starts one here."""
    ray_engines: int = 1
    """Engines in that cluster, each on a GPU where there are GPUs; the fewest, where there may be more."""
    ray_max_engines: int | None = None
    """The most there may be: others are started while answers fill those there are, and drained once they are
    not needed any more. None: there are always `ray_engines`."""
    ray_idle_s: float = 300.0
    """Seconds for which an engine has to have been one too many before it is drained."""
    watchdog_s: float = 60.0
    """Seconds in which the engine's process has to give a sign of life, else it is started again; 0: none."""
    logs: Literal["plain", "json"] = "plain"
    """How the engine's own process writes its log."""
    in_process: bool = False
    """True runs the engine in the gateway's own process (tests, tiny models)."""
