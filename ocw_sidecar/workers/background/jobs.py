"""The background tasks as the sidecar that leads runs them by the wall clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.workers.background.report import Result
from ocw_sidecar.workers.intervals import WallJob

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocw_sidecar.settings.background import BackgroundSettings
    from ocw_sidecar.workers.background.report import Report
    from ocw_sidecar.workers.background.tasks import Tasks


class CleanupJob(WallJob):
    """Removes expired IP blocks, here even when the chain is away."""

    name: ClassVar[str] = "cleanup"

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    async def run(self) -> Mapping[str, int]:
        """Clean up on both sides."""
        return _figures(await self._tasks.clean_up(force=True))


class SyncJob(WallJob):
    """Synchronises with the chain, the more often the more there is to do."""

    name: ClassVar[str] = "sync"
    bell: ClassVar[Bell | None] = Bell.SHARE

    def __init__(self, tasks: Tasks, settings: BackgroundSettings) -> None:
        self._tasks, self._settings = tasks, settings
        self._left_some = self._idle = False

    async def run(self) -> Mapping[str, int]:
        """Synchronise everything both ways."""
        report = await self._tasks.synchronise()
        full = any(part.done >= self._settings.max_entries for part in report.parts)
        self._left_some = full or any(part.skipped for part in report.parts)
        self._idle = report.result is Result.SUCCESS and not any(part.found for part in report.parts)
        return _figures(report)

    def next_every(self, every_s: float) -> float:
        """Halve the interval while runs leave something, double it while there is nothing, within bounds."""
        own = self._settings
        if self._left_some:
            return max(own.sync_at_least_s, every_s / 2)
        if self._idle:
            return min(max(own.sync_at_most_s, own.sync_every_s), every_s * 2)
        return own.sync_every_s


def _figures(report: Report) -> Mapping[str, int]:
    """Return what was done by part; the fault that ended one is raised when nothing went well."""
    if report.result is Result.FAILURE and report.fault is not None:
        raise report.fault
    return {
        f"{part.name}_{name}": getattr(part, name) for part in report.parts for name in ("done", "failed")
    }
