"""planned → assembled: puts an object's file on disk and notes its file id before anything is uploaded."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.proofs import manifest_root
from ocw_sidecar.pipeline import assembly
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.pipeline.crashpoints import CrashPoint, reach
from ocw_sidecar.pipeline.states import Stage
from ocw_sidecar.pipeline.steps.base import JobStep

if TYPE_CHECKING:
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.items import Job

#: Files that other machines' work makes useless may lie about so long.
TIDY_EVERY_S: Final = 3600.0

log = structlog.get_logger()


class AssembleStep(JobStep):
    """Writes pack files; the same plan gives the same file and the same id."""

    stage = Stage.ASSEMBLE
    bell = Bell.ASSEMBLE

    def __init__(self, bench: Bench, *, batch: int = 1) -> None:
        super().__init__(bench, batch=batch)
        self._tidy_at = time.monotonic() + TIDY_EVERY_S

    async def run_once(self) -> int:
        """Write some files; now and then remove those that nobody needs any more."""
        if time.monotonic() >= self._tidy_at:
            self._tidy_at = time.monotonic() + TIDY_EVERY_S
            await asyncio.to_thread(self._bench.spool.tidy, await self._bench.queue.open_packs())
        return await super().run_once()

    async def act(self, job: Job) -> None:
        """Write one pack's file and note its id and manifest root."""
        queue, spool = self._bench.queue, self._bench.spool
        records = await queue.pack_records(job.item)
        object_id = await assembly.build(queue, spool, job.item, records)
        root = await asyncio.to_thread(manifest_root, [record.entry for record in records])
        reach(CrashPoint.WRITTEN)
        await queue.finish_assembly(job, object_id=object_id, manifest_root=root, now=self._bench.ports.now())
        reach(CrashPoint.ASSEMBLED)
        self._bench.bells.ring(Bell.STORE)
        log.info("pack_assembled", pack=job.item.hex(), object=object_id.hex(), records=len(records))
