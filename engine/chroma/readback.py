"""Numbers on their way between host and device, while both go on working."""

from __future__ import annotations

import torch


def send(values: torch.Tensor, to: torch.Tensor) -> None:
    """Copy to the device without waiting, from memory that the device reads by itself."""
    if to.device.type == "cuda":
        values = values.pin_memory()
    to.copy_(values, non_blocking=True)


def moved(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A copy on the device, made without waiting; on a CPU the values themselves."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values


class Readback:
    """Copies of some tensors in the host's memory. On a CPU they are there at once, and are no copies."""

    def __init__(self, *tensors: torch.Tensor) -> None:
        self._event: torch.cuda.Event | None = None
        if tensors[0].device.type != "cuda":
            self._host = tensors
            return
        self._host = tuple(torch.empty_like(each, device="cpu", pin_memory=True) for each in tensors)
        for here, there in zip(self._host, tensors, strict=True):
            here.copy_(there, non_blocking=True)
        self._event = torch.cuda.Event()
        self._event.record(torch.cuda.current_stream(tensors[0].device))

    @property
    def here(self) -> bool:
        """`result` does not wait."""
        return self._event is None or self._event.query()

    def result(self) -> tuple[torch.Tensor, ...]:
        """The tensors on the host; waits for them."""
        if self._event is not None:
            self._event.synchronize()
        return self._host
