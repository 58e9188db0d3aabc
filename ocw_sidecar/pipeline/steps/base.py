"""The form of a step: look for due work, do some of it, say how much that was."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from ocw_sidecar.pipeline.bells import Bell
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.items import Job
    from ocw_sidecar.pipeline.states import Stage


class Step(ABC):
    """One kind of work; `run_once` is called again as long as it finds some."""

    bell: ClassVar[Bell]  #: rings when there may be work

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    @abstractmethod
    async def run_once(self) -> int:
        """Do what is due, within bounds; return the number of items worked on."""


class JobStep(Step):
    """A step that leases jobs and works on each by itself."""

    stage: ClassVar[Stage]

    def __init__(self, bench: Bench, *, batch: int = 1) -> None:
        super().__init__(bench)
        self._batch = batch

    async def run_once(self) -> int:
        """Lease a batch of jobs and work on them at once."""
        jobs = await self._bench.leases.claim(self.stage, self._batch)
        with self._bench.leases.holding(jobs):
            async with asyncio.TaskGroup() as group:
                for job in jobs:
                    group.create_task(self._bench.attempt(job, self.act(job)))
        return len(jobs)

    @abstractmethod
    async def act(self, job: Job) -> None:
        """Do the work of one job and note its end; whatever this raises, the job is not lost."""
