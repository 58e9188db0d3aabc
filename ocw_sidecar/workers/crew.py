"""Every worker by name: which run in each process, and which only where it leads."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from caregrid.errors import WorkerUnknown
from ocw_sidecar.pipeline.steps import RegisterStep, Step
from ocw_sidecar.ports import PeriodicTasks
from ocw_sidecar.settings.background import Schedule
from ocw_sidecar.workers.background.jobs import CleanupJob, SyncJob
from ocw_sidecar.workers.clock import Clock
from ocw_sidecar.workers.compaction import CompactionWorker
from ocw_sidecar.workers.erasure import ErasureStep
from ocw_sidecar.workers.expiry import ExpiryStep
from ocw_sidecar.workers.integrity import IntegrityWorker
from ocw_sidecar.workers.intervals import unless_paused
from ocw_sidecar.workers.jumps import JumpWatch
from ocw_sidecar.workers.key_delivery import KeyDeliveryStep
from ocw_sidecar.workers.leading import Leading
from ocw_sidecar.workers.loop import Worker
from ocw_sidecar.workers.notifications import NotificationStep
from ocw_sidecar.workers.pipeline import shared_steps, submitting_steps
from ocw_sidecar.workers.purge import PurgeJob
from ocw_sidecar.workers.removal import RemovalStep
from ocw_sidecar.workers.storage_health import StorageHealthWorker
from ocw_sidecar.workers.tagging import TaggingStep
from ocw_sidecar.workers.wall import WallClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from ocw_sidecar.notifications.port import Outbox
    from ocw_sidecar.notifications.preferences import Preferences
    from ocw_sidecar.pipeline.patients import Patients
    from ocw_sidecar.pipeline.upkeep import Upkeep
    from ocw_sidecar.ports import Election, TaskRunner
    from ocw_sidecar.workers.background.tasks import Tasks
    from ocw_sidecar.workers.control import ControlWatch
    from ocw_sidecar.workers.desk import Desk
    from ocw_sidecar.workers.intervals import IntervalWorker, WallJob

#: All there are, in the order in which they are shown.
WORKERS: Final = (
    "validation",
    "packing",
    "assembly",
    "storing",
    "anchoring",
    "confirmation",
    "registration",
    "key-delivery",
    "expiry",
    "erasure",
    "removal",
    "compaction",
    "tagging",
    "integrity",
    "storage-health",
    "notifications",
    "purge",
    "cleanup",
    "sync",
)


def require_worker(name: str) -> str:
    """Return a worker's name.

    Raises:
        WorkerUnknown: there is none of this name.
    """
    if name not in WORKERS:
        raise WorkerUnknown(f"there is no worker of this name; there are {', '.join(WORKERS)}")
    return name


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """What the crew needs beside the desk."""

    desk: Desk
    watch: ControlWatch
    tasks: TaskRunner
    upkeep: Upkeep
    patients: Patients
    background: Tasks
    outbox: Outbox
    preferences: Preferences
    stop: asyncio.Event = field(default_factory=asyncio.Event)


class Crew:
    """The workers of one process."""

    def __init__(self, tools: Tools) -> None:
        self._tools, desk = tools, tools.desk
        bench, settings = desk.bench, desk.bench.settings
        notifications = NotificationStep(
            bench,
            notices=desk.notices,
            outbox=tools.outbox,
            preferences=tools.preferences,
            stop=tools.stop,
            halted=lambda: tools.watch.paused("notifications"),
        )
        #: Steps that run in every process; several of one name are lanes.
        self.shared: list[tuple[str, Step]] = [
            *shared_steps(bench, desk.metrics.registry),
            ("notifications", notifications),
        ]
        #: Steps that submit to the chain.
        self.submitting: list[tuple[str, Step]] = [
            *submitting_steps(bench),
            ("registration", RegisterStep(bench, tools.patients)),
            (KeyDeliveryStep.name, KeyDeliveryStep(desk)),
            (ExpiryStep.name, ExpiryStep(desk)),
            (ErasureStep.name, ErasureStep(desk)),
            (RemovalStep.name, RemovalStep(desk)),
            (TaggingStep.name, TaggingStep(desk)),
        ]
        self.intervals: Mapping[IntervalWorker, int] = {
            IntegrityWorker(desk): settings.clock.integrity_every,
            StorageHealthWorker(desk): settings.clock.storage_health_every,
            CompactionWorker(desk): settings.workers.compaction.every_blocks,
        }
        self.wall_jobs: Mapping[WallJob, float | None] = {
            PurgeJob(bench, tools.upkeep): settings.workers.purge.every_s,
            **self._background_jobs(),
        }
        self.clock = Clock(desk, tools.watch, tools.tasks, self.intervals)
        self.wall_clock = WallClock(desk, tools.watch, self.wall_jobs)
        self.jumps = JumpWatch(bench, tools.upkeep, tools.outbox, self.wall_clock.realign)

    def workers(self) -> list[Worker]:
        """Return what runs in every process."""
        return [self._worker(name, step) for name, step in self.shared]

    def leading(self, election: Election, lasting: Sequence[Callable[[], Awaitable[None]]]) -> Leading:
        """Return what runs while this process leads; `lasting` is what its workers need to their very end."""
        return Leading(
            election,
            workers=[self._worker(name, step) for name, step in self.submitting],
            endless=[self.clock.run, self.wall_clock.run],
            lasting=lasting,
            stop=self._tools.stop,
        )

    def _background_jobs(self) -> Mapping[WallJob, float | None]:
        """Return the jobs with their intervals; with fixed times the runner of tasks knows them instead."""
        own, background = self._tools.desk.bench.settings.background, self._tools.background
        cleanup, sync = CleanupJob(background), SyncJob(background, own)
        if own.schedule is Schedule.ADAPTIVE:
            return {cleanup: own.cleanup_every_s, sync: own.sync_every_s}
        runner = self._tools.tasks
        assert isinstance(runner, PeriodicTasks)  # noqa: S101 - the settings require PostgreSQL
        runner.register_periodic(cleanup.name, own.cleanup_cron, partial(self._run_unless_paused, cleanup))
        runner.register_periodic(sync.name, own.sync_cron, partial(self._run_unless_paused, sync))
        return {cleanup: None, sync: None}

    async def _run_unless_paused(self, job: WallJob, _time: int) -> None:
        now = self._tools.desk.bench.ports.now
        await unless_paused(job.name, job.run, watch=self._tools.watch, now=now)

    def _worker(self, name: str, step: Step) -> Worker:
        bench = self._tools.desk.bench
        return Worker(
            name=name,
            step=step,
            bells=bench.bells,
            tick_s=bench.settings.tick_s,
            stop=self._tools.stop,
            watch=self._tools.watch,
            now=bench.ports.now,
        )
