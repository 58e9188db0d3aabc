"""Ties finalized blocks to what is due with them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from ocw_sidecar.clock.agenda import Agenda, BlockJob
from ocw_sidecar.clock.follower import Follower
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.workers.intervals import unless_paused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from caregrid.chain.port import BlockRef
    from ocw_sidecar.ports import TaskRunner
    from ocw_sidecar.workers.control import ControlWatch
    from ocw_sidecar.workers.desk import Desk
    from ocw_sidecar.workers.intervals import IntervalWorker

log = structlog.get_logger()


class Clock:
    """Follows the chain, rings the bell of each block, and has interval workers run when they are due.

    Make it in every process, so that each knows what the tasks' names run; let only the leader `run` it.
    """

    def __init__(
        self,
        desk: Desk,
        watch: ControlWatch,
        runner: TaskRunner,
        workers: Mapping[IntervalWorker, int],
    ) -> None:
        """Register the workers, each with its interval in blocks."""
        self._desk, self._watch, self._runner = desk, watch, runner
        self._jobs = [BlockJob(name=worker.name, every=every) for worker, every in workers.items()]
        self._agenda: Agenda | None = None
        for worker in workers:
            runner.register(worker.name, self._running(worker))

    async def run(self) -> None:
        """Follow until cancelled; raises as `Follower.run`."""
        self._agenda = None
        follower = Follower(
            chain=self._desk.bench.ports.chain,
            block_log=self._desk.block_log,
            settings=self._desk.bench.settings.clock,
            metrics=self._desk.metrics,
            restore=self._restore,
            wake=self.wake,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(follower.run(), name="follower")
            group.create_task(self._runner.run(), name="tasks")
            group.create_task(self._heed(), name="asked-runs")

    async def wake(self, height: int) -> None:
        """Have everything run that is due at a block."""
        if self._agenda is None:
            # What was never done waits for its first multiple; what became due since it was done does not.
            done = await self._desk.block_log.done_heights()
            self._agenda = Agenda(self._jobs, done, start=height - 1)
        self._desk.bench.bells.ring(Bell.BLOCK, Bell.NOTIFY)
        for name in self._agenda.take_due(height):
            await self._runner.defer(name, height=height)

    async def _restore(self, block: BlockRef) -> None:
        # Blocks that cannot be followed any more may have erased records.
        await self._desk.eraser.sweep()
        await self._desk.restorer.restore(block)

    async def _heed(self) -> None:
        """Have workers run for which a single run was asked."""
        heeded: dict[str, int] = {}
        while True:
            for job in self._jobs:
                number = self._watch.asked(job.name)
                height = await self._desk.block_log.cursor() if number > heeded.get(job.name, 0) else None
                if height is not None:
                    await self._runner.defer(job.name, height=height)
                    heeded[job.name] = number
            await asyncio.sleep(self._desk.bench.settings.workers.control_s)

    def _running(self, worker: IntervalWorker) -> Callable[[int], Awaitable[None]]:
        async def run(height: int) -> None:
            now, name = self._desk.bench.ports.now, worker.name
            done = await unless_paused(
                name, lambda: self._do(worker, height), watch=self._watch, now=now, height=height
            )
            if done is not None:
                self._tell(name, height, failed=done.reason is not None)

        return run

    async def _do(self, worker: IntervalWorker, height: int) -> Mapping[str, int]:
        items = await worker.run(height)
        await self._desk.block_log.note_done(worker.name, height)
        return items

    def _tell(self, name: str, height: int, *, failed: bool) -> None:
        if self._agenda is not None and failed:
            self._agenda.failed(name, height)
        elif self._agenda is not None:
            self._agenda.done(name)
