"""Forgets how records came in, long after they are final. The data keys stay."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

import structlog

from ocw_sidecar.workers.intervals import WallJob

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.upkeep import Upkeep

#: Transactions of one run; what is left waits for the next, so that a run never takes the disk for long.
MAX_ROUNDS: Final = 200

log = structlog.get_logger()


class PurgeJob(WallJob):
    """A wall-clock job."""

    name: ClassVar[str] = "purge"

    def __init__(self, bench: Bench, upkeep: Upkeep) -> None:
        self._bench, self._upkeep = bench, upkeep
        self._settings = bench.settings.workers.purge

    async def run(self) -> Mapping[str, int]:
        """Purge what is older than the retention time, within bounds."""
        before = self._bench.ports.now() - timedelta(days=self._settings.retention_days)
        after, total = b"", 0
        for _ in range(MAX_ROUNDS):
            done = await self._upkeep.purge(before=before, after=after, limit=self._settings.batch)
            total, after = total + done.purged, done.after
            if done.looked < self._settings.batch:
                break
        log.info("submissions_purged", purged=total)
        return {"purged": total}
