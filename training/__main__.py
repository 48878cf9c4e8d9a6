"""`python -m training`: every stage that is not done yet, as many at once as there are cores.

`python -m training STAGE` runs one. All of it can be interrupted at any time and goes on from where it was.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import torch

from training.corpus.synthesis import log
from training.stages import STAGES, TOKENIZER

_KEPT = Path(__file__).with_name("kept")
"""The tokenizer, and weights of stages that were trained before: without those they begin anew."""

# Large blocks are kept instead of given back: on a CPU this alone makes training up to 2.5 x as fast.
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(4 << 30), "MALLOC_TRIM_THRESHOLD_": str(8 << 30)}


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument(
        "stage", nargs="?", choices=list(STAGES), help="one stage alone; without it, all of them"
    )
    parser.add_argument("--folder", type=Path, default=Path("training/work"), help="where everything is kept")
    parser.add_argument("--scale", type=float, default=1.0, help="of the time that each stage is given")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="stages at once, a core each")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if not (options.folder / TOKENIZER).exists():
        shutil.copytree(_KEPT / TOKENIZER, options.folder / TOKENIZER)
    for kept in _KEPT.glob("*.pt"):
        if not (options.folder / kept.name).exists():
            shutil.copy(kept, options.folder / kept.name)
    if options.stage:
        torch.set_num_threads(1)
        STAGES[options.stage].run(options.folder, options.scale)
    elif not run_all(options.folder, options.scale, options.jobs):
        sys.exit(1)


def run_all(folder: Path, scale: float, jobs: int) -> bool:
    """Start each stage as soon as what it needs is done. False when one failed."""
    done = {name for name, stage in STAGES.items() if stage.done(folder, scale)}
    running: dict[str, subprocess.Popen[bytes]] = {}
    failed = False
    while len(done) < len(STAGES):
        for name, process in list(running.items()):
            if process.poll() is not None:
                del running[name]
                if process.returncode:
                    failed = True
                    log(f"{name} failed: see {folder / name}.log")
                else:
                    done.add(name)
                    log(f"{name} is done")
        for name, stage in STAGES.items():
            ready = name not in done and name not in running and done.issuperset(stage.needs)
            if ready and not failed and len(running) < jobs:
                running[name] = _start(name, folder, scale)
        if failed and not running:
            return False
        time.sleep(1)
    log(f"the checkpoint lies in {folder / 'checkpoint'}")
    return True


def _start(name: str, folder: Path, scale: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "training", name, "--folder", str(folder), "--scale", str(scale)]
    log(f"{name} begins: {folder / name}.log")
    with (folder / f"{name}.log").open("ab") as file:
        return subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **_ALLOCATOR}
        )


if __name__ == "__main__":
    main()
