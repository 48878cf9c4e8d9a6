"""Engines on the nodes of a Ray cluster.

Ray says where an engine runs, and starts it there; what it is asked and answers is what `engine.process`
tells any child. So a node that is lost is a child that died: its answers fail, the next ones come from
another one, and Ray starts one anew wherever there is room.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from engine.api import EngineError
from engine.child import Child
from engine.elastic import ElasticFleet
from engine.fleet import FleetEngine
from engine.process import ProcessEngine
from engine.scaling import Bounds
from engine.settings import EngineSettings
from engine.wire import Ready, Refused, ToChild

log = logging.getLogger(__name__)

LOCAL = "local"
"""In place of an address: Ray is started on this machine, and ends with this process."""
_AT_ONCE = 10_000


class Host:
    """The actor: one engine's process on its node."""

    def __init__(self) -> None:
        self._child: Child | None = None
        self._early: dict[int, ToChild] = {}
        self._next = 0

    async def open(self, settings: EngineSettings) -> tuple[Ready | Refused, int, str]:
        """Start the process; what came of it, its process id, and the node's id."""
        import ray

        node = ray.get_runtime_context().get_node_id()
        try:
            self._child = await Child.start(replace(settings, ray=None))
        except EngineError as error:
            return Refused(error.code, error.message), 0, node
        return Ready(self._child.model), self._child.pid, node

    async def tell(self, number: int, message: ToChild) -> None:
        """A message for the process. Ray may bring a large one after a small one that follows it, so they
        are counted."""
        assert self._child is not None
        self._early[number] = message
        while self._next in self._early:
            self._child.send(self._early.pop(self._next))
            self._next += 1

    async def listen(self) -> AsyncIterator[object]:
        """What the process says, until it has gone."""
        assert self._child is not None
        while (message := await self._child.receive()) is not None:
            yield message


class RayChild:
    """A child of `ProcessEngine` that lives on a node of the cluster, `node`."""

    def __init__(self, host: Any, model: str, pid: int, node: str) -> None:
        self.model, self.pid, self.node = model, pid, node
        self._host = host
        self._numbers = itertools.count()
        self._said = host.listen.options(num_returns="streaming").remote()

    @classmethod
    async def start(cls, settings: EngineSettings) -> RayChild:
        """Start one wherever there is room, and wait until its engine is open.

        Raises:
            EngineError: the one that the engine raised, or `engine_start_failed`.
        """
        import ray

        # A cluster that grows may have no GPU yet: where one is asked for by name, it is to come.
        has_gpu = ray.cluster_resources().get("GPU", 0) > 0
        wants_gpu = settings.device.startswith("cuda") or (settings.device == "auto" and has_gpu)
        remote: Any = ray.remote(Host)
        actor = remote.options(
            num_cpus=1, num_gpus=settings.tp if wants_gpu else 0, max_concurrency=_AT_ONCE, max_restarts=0
        )
        host = actor.remote()
        try:
            opened, pid, node = await host.open.remote(settings)
        except ray.exceptions.RayError as error:
            raise EngineError(
                "engine_start_failed", f"Ray lost the engine before it was ready: {error}"
            ) from None
        except asyncio.CancelledError:
            # It is not wanted any more, and may still be waiting for a node.
            ray.kill(host)
            raise
        if isinstance(opened, Refused):
            ray.kill(host)
            raise EngineError(opened.code, opened.message)
        return cls(host, opened.model, pid, node)

    def send(self, message: ToChild) -> None:
        """Send without waiting. To a node that has just died it goes nowhere."""
        self._host.tell.remote(next(self._numbers), message)

    async def receive(self) -> object | None:
        """The next message; None once the process, its actor or its node has gone."""
        import ray

        try:
            return await (await anext(self._said))
        except (StopAsyncIteration, ray.exceptions.RayError):
            return None

    def kill(self) -> None:
        """End it at once, whatever it hangs on."""
        import ray

        ray.kill(self._host)

    async def end(self) -> str:
        """End it if it has not ended; returns how it ended, to follow "the engine's process"."""
        await asyncio.to_thread(self.kill)
        return f"on node {self.node[:8]} of the Ray cluster has gone"


def create_fleet(settings: EngineSettings) -> FleetEngine:
    """As many engines as the settings say, in the cluster that they name.

    Raises:
        EngineError: `not_installed`, `ray_unreachable`.
    """
    try:
        import ray
    except ImportError:
        raise EngineError("not_installed", "--ray needs Ray: pip install 'chroma-realtime[ray]'") from None
    if not ray.is_initialized():
        try:
            ray.init(None if settings.ray == LOCAL else settings.ray, logging_level=logging.WARNING)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise EngineError("ray_unreachable", f"--ray {settings.ray}: {error}") from None
    least, most = settings.ray_engines, settings.ray_max_engines or settings.ray_engines
    engines = [ProcessEngine(settings, RayChild.start) for _ in range(most)]
    if most == least:
        return FleetEngine(engines)
    return ElasticFleet(engines, Bounds(least, most, settings.ray_idle_s), settings.slots)
