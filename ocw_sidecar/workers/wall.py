"""Jobs that the wall clock asks for: APScheduler says when, a task of our own does the work.

So a job that runs long never piles up: whatever comes due meanwhile is one more run. When a job is due counts
from its last success, which is kept, so that a sidecar that is restarted often still comes to its rare jobs.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from ocw_sidecar.pipeline.bells import heard
from ocw_sidecar.workers.intervals import unless_paused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocw_sidecar.pipeline.bells import Bell
    from ocw_sidecar.workers.control import ControlWatch
    from ocw_sidecar.workers.desk import Desk
    from ocw_sidecar.workers.intervals import WallJob

log = structlog.get_logger()


class WallClock:
    """Runs jobs, each with its interval in seconds; None: only when a single run is asked for."""

    def __init__(self, desk: Desk, watch: ControlWatch, jobs: Mapping[WallJob, float | None]) -> None:
        self._desk, self._watch = desk, watch
        self._jobs = dict(jobs)
        self._due = {job.name: asyncio.Event() for job in jobs}
        self._scheduler: AsyncIOScheduler | None = None

    async def run(self) -> None:
        """Run jobs as they come due, until cancelled."""
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        await self._schedule()
        self._scheduler.start()
        try:
            async with asyncio.TaskGroup() as group:
                for job in self._jobs:
                    group.create_task(self._serve(job), name=f"wall-{job.name}")
                    if job.bell is not None:
                        group.create_task(self._hear(job.name, job.bell), name=f"wall-{job.name}-bell")
        finally:
            self._scheduler.shutdown(wait=False)
            self._scheduler = None

    def realign(self) -> None:
        """Count the intervals from now: the wall clock has jumped."""
        if self._scheduler is None:
            return
        for job, every_s in self._scheduled():
            next_run = datetime.now(UTC) + timedelta(seconds=every_s)
            self._scheduler.modify_job(job.name, next_run_time=next_run)

    async def _schedule(self) -> None:
        assert self._scheduler is not None  # noqa: S101 - run has just made it
        states = await self._desk.controls.workers()
        now = datetime.now(UTC)
        for job, every_s in self._scheduled():
            every = timedelta(seconds=every_s)
            state = states.get(job.name)
            last = None if state is None else state.succeeded_at
            # A success in the future was noted by a wall clock that has been set back since.
            next_run = now if last is None or last > now else max(now, last + every)
            self._scheduler.add_job(
                _ring,
                _each(every_s),
                args=[self._due[job.name]],
                id=job.name,
                next_run_time=next_run,
            )

    async def _serve(self, job: WallJob) -> None:
        due, control_s = self._due[job.name], self._desk.bench.settings.workers.control_s
        while True:
            if await heard(due, control_s) or self._watch.asked(job.name):
                due.clear()
                await unless_paused(job.name, job.run, watch=self._watch, now=self._desk.bench.ports.now)
                self._adapt(job)

    async def _hear(self, name: str, bell: Bell) -> None:
        """Have a job be due whenever its bell rings; not when everybody is woken, as at the end."""
        bells = self._desk.bench.bells
        heard_of = bells.rings(bell)
        while True:
            await bells.listen(bell).wait()
            if bells.rings(bell) != heard_of:
                heard_of = bells.rings(bell)
                self._due[name].set()

    def _scheduled(self) -> list[tuple[WallJob, float]]:
        return [(job, every_s) for job, every_s in self._jobs.items() if every_s is not None]

    def _adapt(self, job: WallJob) -> None:
        before_s = self._jobs[job]
        if before_s is None:
            return
        every_s = job.next_every(before_s)
        if every_s != before_s and self._scheduler is not None:
            self._jobs[job] = every_s
            self._scheduler.reschedule_job(job.name, trigger=_each(every_s))


def _each(every_s: float) -> IntervalTrigger:
    return IntervalTrigger(seconds=every_s, timezone=UTC)


async def _ring(event: asyncio.Event) -> None:
    # A plain function would be called on another thread, where an event must not be set.
    event.set()
