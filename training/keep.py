"""`python -m training.keep`: what has been trained so far as weights alone, small enough to be committed."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from training.stages import STAGES, TOKENIZER

# The quantiser decides which codes a sound has, so it stays exact.
_EXACT = ("codes",)


def main(folder: Path = Path("training/work"), to: Path = Path("training/kept")) -> None:
    """Write the tokenizer, and `NAME.pt` for every stage that has begun."""
    shutil.copytree(folder / TOKENIZER, to / TOKENIZER, dirs_exist_ok=True)
    for name in STAGES:
        path = folder / f"{name}.pt"
        if path.is_file():
            kept = torch.load(path, map_location="cpu", weights_only=True)
            for each in ("optimizer", "latest"):
                kept.pop(each, None)
            if name not in _EXACT:
                kept["module"] = {
                    key: weight.half() if weight.is_floating_point() else weight
                    for key, weight in kept["module"].items()
                }
            torch.save(kept, to / f"{name}.pt")


if __name__ == "__main__":
    main()
