"""assembled → stored: uploads an object; its id comes from its content, so twice is as good as once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from caregrid.errors import FileIdMismatch, ProtocolViolation, Recoverable
from ocw_sidecar.pipeline import assembly
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.pipeline.crashpoints import CrashPoint, reach
from ocw_sidecar.pipeline.states import Stage
from ocw_sidecar.pipeline.steps.base import JobStep

if TYPE_CHECKING:
    from ocw_sidecar.pipeline.items import Job

log = structlog.get_logger()


class StoreStep(JobStep):
    """Uploads objects."""

    stage = Stage.STORE
    bell = Bell.STORE

    async def act(self, job: Job) -> None:
        """Upload one object and note that it is stored."""
        queue = self._bench.queue
        pack = await queue.pack(job.item)
        if pack is None or pack.object_id is None:
            raise ProtocolViolation("a job names a pack that is not assembled")
        if not await self._is_there(job, pack.object_id):
            await self._upload(job, pack.object_id)
        reach(CrashPoint.UPLOADED)
        await queue.finish_storing(job, now=self._bench.ports.now())
        reach(CrashPoint.STORED)
        self._bench.bells.ring(Bell.ANCHOR)
        log.info("pack_stored", pack=job.item.hex(), object=pack.object_id.hex(), size=pack.size)

    async def _is_there(self, job: Job, object_id: bytes) -> bool:
        # Only an earlier attempt of ours, perhaps before a crash, can have put it there.
        if job.attempt == 1:
            return False
        try:
            return await self._bench.ports.store.stat(object_id) is not None
        except Recoverable:
            # With one gateway of several down nobody can say that it is not there; uploading settles it.
            return False

    async def _upload(self, job: Job, object_id: bytes) -> None:
        queue, spool = self._bench.queue, self._bench.spool
        records = await queue.pack_records(job.item)
        path = await assembly.object_file(queue, spool, job.item, records)
        if not path.exists():
            await assembly.build(queue, spool, job.item, records)
        if await self._bench.ports.store.put(path) != object_id:
            # A pack's file can be made anew; the next attempt does.
            await asyncio.to_thread(spool.remove_pack, job.item)
            raise FileIdMismatch("a pack's file is not what was assembled; check the disk")
