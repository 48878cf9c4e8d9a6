"""A fleet that has as many engines as its speaking sessions need: `engine.scaling` decides, this does it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from engine.api import EngineError
from engine.fleet import FleetEngine
from engine.process import ProcessEngine
from engine.scaling import Bounds, Move, Phase, Place, Scaling
from engine.stats import EngineStats

log = logging.getLogger(__name__)

EVERY_S = 1.0
"""Seconds between two looks at what there is to do."""


class ElasticFleet(FleetEngine):
    """Of `engines`, which are the most there may be, those serve that are needed.

    Args:
        room: answers that an engine makes at once, for as long as none has told how many it can.
    """

    def __init__(self, engines: Sequence[ProcessEngine], bounds: Bounds, room: int) -> None:
        super().__init__(engines)
        self._bounds = bounds
        self._scaling = Scaling(bounds)
        self._phases = [Phase.OFF] * len(engines)
        self._room = room
        self._rooms: list[int | None] = [None] * len(engines)
        self._starting: dict[int, asyncio.Task[None]] = {}
        self._keeper: asyncio.Task[None] | None = None

    async def open(self) -> None:
        first = range(self._bounds.least)
        await self._open_all([self._engines[index] for index in first])
        for index in first:
            self._phases[index] = Phase.SERVING
        self._keeper = asyncio.create_task(self._keep(), name="fleet-keeper")

    async def close(self) -> None:
        tasks = [*self._starting.values(), *([self._keeper] if self._keeper else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._keeper = None
        await super().close()
        self._phases = [Phase.OFF] * len(self._engines)

    def _able(self) -> list[bool]:
        """Those that serve and are not full, else the best there are.

        A conversation leaves a full engine for one with room: it is told the whole of it, which takes a
        moment, and would be refused where it was.
        """
        serving = {index for index, phase in enumerate(self._phases) if phase is Phase.SERVING}
        off = {index for index, phase in enumerate(self._phases) if phase is Phase.OFF}
        # One that is draining can still answer where no other does.
        alive = {index for index, engine in enumerate(self._engines) if engine.up} - off
        places = self._places()
        free = {index for index in serving & alive if places[index].running < places[index].room}
        chosen = free or serving & alive or alive or serving
        return [index in chosen for index in range(len(self._engines))]

    def _places(self) -> list[Place]:
        told = [room for room in self._rooms if room]
        # Nodes are mostly alike, so one that has not told yet is taken for one that has.
        usual = max(told, default=self._room)
        return [
            Place(
                Phase.STARTING if phase is Phase.SERVING and not engine.up else phase,
                len(running),
                room or usual,
            )
            for phase, engine, running, room in zip(
                self._phases, self._engines, self._running, self._rooms, strict=True
            )
        ]

    async def _keep(self) -> None:
        while True:
            await asyncio.gather(*(self._ask(index) for index in range(len(self._engines))))
            for move, index in self._scaling.moves(self._places(), time.monotonic()):
                await self._do(move, index)
            await asyncio.sleep(EVERY_S)

    async def _ask(self, index: int) -> None:
        """How many answers it can make, and what it has counted: it may be ended before anybody else asks.
        Of one that is down or hangs nothing is learnt: the watchdog sees to it."""
        if self._engines[index].up:
            try:
                async with asyncio.timeout(EVERY_S):
                    told: EngineStats = await self._engines[index].stats()
            except (EngineError, TimeoutError):
                return
            self._rooms[index] = told.slots or None
            self._lives[index].add(told)

    async def _do(self, move: Move, index: int) -> None:
        places = self._places()
        running = sum(place.running for place in places)
        log.info("%s engine %d of %d: %d answers are made", move.value, index + 1, len(places), running)
        match move:
            case Move.START:
                self._phases[index] = Phase.STARTING
                self._starting[index] = asyncio.create_task(self._start(index), name="engine-start")
            case Move.KEEP:
                self._phases[index] = Phase.SERVING
            case Move.DRAIN if index in self._starting:
                task = self._starting[index]
                task.cancel()
                await asyncio.wait([task])
            case Move.DRAIN:
                self._phases[index] = Phase.DRAINING
            case Move.END if not self._running[index]:
                self._phases[index] = Phase.OFF
                await self._engines[index].close()

    async def _start(self, index: int) -> None:
        try:
            await self._engines[index].open()
            self._phases[index] = Phase.SERVING
            log.info("engine %d serves", index + 1)
        except EngineError as error:
            self._scaling.failed(time.monotonic())
            log.error("another engine cannot be started: %s", error.message)
        finally:
            if self._phases[index] is Phase.STARTING:
                self._phases[index] = Phase.OFF
            del self._starting[index]
