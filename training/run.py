"""What all stages share: seeds, a learning rate with a warm-up, checkpoints that a run goes on from."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training.corpus.synthesis import log

Weights = dict[str, torch.Tensor]
"""State of a module."""


def pick_device() -> torch.device:
    """A GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


ATTENTION = "eager"
"""On a CPU, torch's fused attention takes several times as long to go back through as plain products."""


def half(device: torch.device) -> torch.autocast:
    """Products of matrices in bfloat16; weights and the optimizer stay exact."""
    return torch.autocast(device.type, torch.bfloat16)


class Run:
    """One stage of training: AdamW, warm-up and cosine decay over a budget of processor seconds.

    State goes to `NAME.pt` every few minutes and at the end; a run that finds it goes on from there. The
    curve is `NAME.jsonl`, one line for every report.

    Args:
        seconds: processor time that the stage is given, all its runs together.
        slower: weights that are given only a `share` of the learning rate.
        average: what is kept of the average of all weights at each step; the average is what ships. 0: the
            weights as they are.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        module: nn.Module,
        *,
        seconds: float,
        rate: float,
        warmup: int = 200,
        slower: Collection[nn.Parameter] = (),
        share: float = 1.0,
        average: float = 0.0,
    ) -> None:
        self.name, self.module, self.seconds = name, module, seconds
        self.step, self.used = 0, 0.0
        self._rate, self._warmup = rate, warmup
        self._path = folder / f"{name}.pt"
        self._curve = folder / f"{name}.jsonl"
        self._sums: dict[str, float] = {}
        trained = [weight for weight in module.parameters() if weight.requires_grad]
        slow = {id(weight) for weight in slower}
        groups = _groups([weight for weight in trained if id(weight) not in slow], 1.0)
        if slower:
            groups += _groups(slower, share)
        self.optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)
        latest: Weights | None = None
        if self._path.is_file():
            kept = torch.load(self._path, map_location="cpu", weights_only=True)
            module.load_state_dict(kept["module"])
            # A checkpoint that was kept for good has none: the moments are found again in a few steps.
            if "optimizer" in kept:
                self.optimizer.load_state_dict(kept["optimizer"])
            self.step, self.used = kept["step"], kept["used"]
            latest = kept.get("latest")
            log(f"{name}: going on from step {self.step}, {self.used:.0f} of {seconds:.0f} s used")
        self._averaged = _average(module, average) if average else None
        if latest:
            module.load_state_dict(latest)
        self._reported = self.step
        self._begun = time.process_time() - self.used
        self._kept_at = self.used

    @property
    def over(self) -> bool:
        """The budget is used up."""
        self.used = time.process_time() - self._begun
        return self.used >= self.seconds

    def take(self, loss: torch.Tensor, **figures: float) -> None:
        """One step of the optimizer on `loss`; `figures` are reported beside it."""
        share = min(1.0, self.used / self.seconds)
        rate = self._rate * min(1.0, (self.step + 1) / self._warmup) * (0.04 + 0.96 * _cosine(share))
        for group in self.optimizer.param_groups:
            # What was kept before there were shares has none.
            group["lr"] = rate * group.get("share", 1.0)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.module.parameters(), 1.0)
        self.optimizer.step()
        if self._averaged:
            self._averaged.update_parameters(self.module)
        self.step += 1
        for key, value in {"loss": float(loss.detach()), **figures}.items():
            self._sums[key] = self._sums.get(key, 0.0) + value
        if self.step % 100 == 0:
            self._report()
        if self.used - self._kept_at > 120:
            self.keep()

    def _report(self) -> None:
        steps = self.step - self._reported
        means = {key: round(total / steps, 4) for key, total in self._sums.items()}
        self._sums, self._reported = {}, self.step
        line = {"step": self.step, "seconds": round(self.used), **means}
        with self._curve.open("a") as file:
            file.write(json.dumps(line) + "\n")
        log(f"{self.name} {line}")

    def keep(self) -> None:
        """Write the state, whole or not at all."""
        self._kept_at = self.used
        state = {
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "used": self.used,
        }
        if self._averaged:
            state |= {"module": self._averaged.module.state_dict(), "latest": state["module"]}
        partial = self._path.with_suffix(".part")
        torch.save(state, partial)
        os.replace(partial, self._path)


def _average(module: nn.Module, kept: float) -> AveragedModel:
    """An average that begins as the module is now."""
    averaged = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(kept))
    averaged.update_parameters(module)
    return averaged


def _groups(weights: Collection[nn.Parameter], share: float) -> list[dict[str, Any]]:
    """Weights with their part of the learning rate; matrices decay."""
    matrices = [weight for weight in weights if weight.ndim >= 2]
    others = [weight for weight in weights if weight.ndim < 2]
    return [
        {"params": matrices, "weight_decay": 0.01, "share": share},
        {"params": others, "weight_decay": 0.0, "share": share},
    ]


def load_stage(folder: Path, *names: str) -> Weights:
    """Weights of the first of these stages that has been trained.

    Raises:
        FileNotFoundError: none has.
    """
    for name in names:
        path = folder / f"{name}.pt"
        if path.is_file():
            kept: Weights = torch.load(path, map_location="cpu", weights_only=True)["module"]
            return kept
    raise FileNotFoundError(f"{folder}: none of {', '.join(names)} has been trained")


def is_done(folder: Path, name: str, seconds: float) -> bool:
    """The stage has used its budget."""
    path = folder / f"{name}.pt"
    return path.is_file() and torch.load(path, map_location="cpu", weights_only=True)["used"] >= seconds


def _cosine(share: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * share))
