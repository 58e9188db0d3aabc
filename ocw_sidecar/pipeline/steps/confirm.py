"""anchored → confirmed: reads every record back at the finalized head before our copy of its bytes goes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.errors import NotYetAnchored, ProtocolViolation
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.pipeline.crashpoints import CrashPoint, reach
from ocw_sidecar.pipeline.items import Confirmation
from ocw_sidecar.pipeline.lookup import anchored_records
from ocw_sidecar.pipeline.states import PackState, RecordState, Stage
from ocw_sidecar.pipeline.steps.base import JobStep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.chain.port import Record
    from ocw_sidecar.pipeline.items import Job, PackedRecord

#: Somebody else's record stands under our id.
FOREIGN_RECORD: Final = "FOREIGN_RECORD"

log = structlog.get_logger()


class ConfirmStep(JobStep):
    """Compares what stands on chain with what was meant."""

    stage = Stage.CONFIRM
    bell = Bell.CONFIRM

    async def act(self, job: Job) -> None:
        """Confirm one pack's records; forget the payloads of those that are right."""
        queue = self._bench.queue
        records = await queue.pack_records(job.item, RecordState.ANCHORED)
        outcome = _compare(records, await self._read_back(records), await self._object_id(job))
        freed = await queue.finish_confirmation(job, outcome, now=self._bench.ports.now())
        reach(CrashPoint.CLOSED)
        await self._clean(job, freed)
        self._bench.bells.ring(Bell.ANCHOR, Bell.SETTLED)
        log.info(
            "pack_confirmed",
            pack=job.item.hex(),
            confirmed=len(outcome.confirmed),
            refused=len(outcome.refused),
            lost=len(outcome.lost),
        )

    async def _read_back(self, records: Sequence[PackedRecord]) -> Mapping[bytes, Record]:
        chain = self._bench.ports.chain
        newest = max((record.block or 0 for record in records), default=0)
        if (await chain.finalized_head()).number < newest:
            raise NotYetAnchored  # this endpoint lags behind the one that we submitted to
        return await anchored_records(chain, [record.entry.record_id for record in records])

    async def _object_id(self, job: Job) -> bytes:
        pack = await self._bench.queue.pack(job.item)
        if pack is None or pack.object_id is None:
            raise ProtocolViolation("a job names a pack that is not assembled")
        return pack.object_id

    async def _clean(self, job: Job, freed: Sequence[str]) -> None:
        await asyncio.to_thread(self._bench.spool.remove, freed)
        pack = await self._bench.queue.pack(job.item)
        if pack is not None and pack.state is PackState.CLOSED:
            await asyncio.to_thread(self._bench.spool.remove_pack, job.item)


def _compare(
    records: Sequence[PackedRecord], found: Mapping[bytes, Record], object_id: bytes
) -> Confirmation:
    confirmed: dict[bytes, int] = {}
    refused: dict[bytes, str] = {}
    lost: list[bytes] = []
    for entry in (record.entry for record in records):
        record = found.get(entry.record_id)
        if record is None:
            lost.append(entry.record_id)
        elif (record.object_id, record.digest) == (object_id, entry.digest):
            confirmed[entry.record_id] = record.anchored_at
        else:
            refused[entry.record_id] = FOREIGN_RECORD
    return Confirmation(confirmed=confirmed, refused=refused, lost=lost)
