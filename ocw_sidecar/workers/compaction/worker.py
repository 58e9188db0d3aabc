"""Moves the records that stand out of objects that something was erased from, and seals records anew.

An object's bytes never change, so what is erased on the chain leaves storage only with its whole object:
with the last record, or once the others lie in a new one. Several remnants share one. Only sealed bytes are
handled, and the same ciphertext moves, except for records whose data key is to change.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

import structlog

from caregrid.chain.port import LiveRecord
from caregrid.sealed import new_data_key
from ocw_sidecar.pipeline.crashpoints import WorkerCrashPoint, reach
from ocw_sidecar.workers.compaction.course import Course
from ocw_sidecar.workers.compaction.files import ObjectFiles
from ocw_sidecar.workers.compaction.planning import Load, shared, transfers
from ocw_sidecar.workers.compaction.retrying import postpone_reseal
from ocw_sidecar.workers.compaction.survey import Survey
from ocw_sidecar.workers.intervals import IntervalWorker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from caregrid.chain.port import Record
    from ocw_sidecar.pipeline.compaction import Transfer
    from ocw_sidecar.workers.desk import Desk

#: That a wish was fulfilled can be read for so long.
KEEP_RESEALS: Final = timedelta(days=30)

_ID_LEN: Final = 16

log = structlog.get_logger()


class CompactionWorker(IntervalWorker):
    """Runs each so many blocks, where the process leads."""

    name: ClassVar[str] = "compaction"

    def __init__(self, desk: Desk) -> None:
        self._desk, self._book, self._ports = desk, desk.compaction, desk.bench.ports
        self._settings = desk.bench.settings.workers.compaction
        self._files = ObjectFiles(desk.bench)
        self._survey, self._course = Survey(desk), Course(desk, self._files)

    async def run(self, height: int) -> Mapping[str, int]:
        """Go on with what is under way, then plan more, within bounds."""
        del height  # what stands at the finalized head is what counts
        under_way = {each.compaction_id for each in await self._book.open_compactions()}
        await asyncio.to_thread(self._files.prepare, under_way)
        done = Counter(moved=await self._take_on(self._settings.open_limit))
        done["erased_from"] = await self._survey.scan()
        for plan in (self._plan_reseals, self._plan_remnants):
            while done["planned"] < self._settings.plans and len(under_way) < self._settings.open_limit:
                if not await plan():
                    break
                done["planned"] += 1
                done["moved"] += await self._take_on(1)
                under_way = {each.compaction_id for each in await self._book.open_compactions()}
        await self._book.purge_reseals(before=self._ports.now() - KEEP_RESEALS)
        self._desk.metrics.compaction(objects=await self._book.count_objects(), under_way=len(under_way))
        return dict(done)

    async def _take_on(self, limit: int) -> int:
        due = await self._book.due_compactions(limit, now=self._ports.now())
        return sum([await self._course.take_on(each) for each in due])

    async def _plan_remnants(self) -> bool:
        """Plan an object of what is left of others; False when there is nothing to move."""
        due = await self._book.due_objects(self._settings.batch, now=self._ports.now())
        looked = [await self._survey.look(each) for each in due]
        load = self._load()
        shared([remnant for remnant in looked if remnant is not None], load)
        return await self._plan(transfers(load.records))

    async def _plan_reseals(self) -> bool:
        """Plan an object of records that are to be sealed anew; False when there are none."""
        due = await self._book.due_reseals(self._settings.reseals, now=self._ports.now())
        load, keys = self._load(), dict[bytes, bytes]()
        for request in due:
            record = await self._own_record(request.record_id)
            if record is not None and await self._is_free(record) and load.take([record]):
                keys[record.record_id] = await asyncio.to_thread(self._new_key, record.record_id)
        return await self._plan(transfers(load.records, keys))

    async def _own_record(self, record_id: bytes) -> Record | None:
        view = await self._ports.chain.record_view(record_id)
        if isinstance(view, LiveRecord) and view.custodian == self._desk.organisation:
            return view.record
        await self._book.drop_reseal(record_id)
        return None

    async def _is_free(self, record: Record) -> bool:
        reason = await self._survey.obstacle(record.object_id)
        if reason is not None:
            await postpone_reseal(self._desk, record.record_id, reason)
        return reason is None

    def _new_key(self, record_id: bytes) -> bytes:
        return self._ports.key_store.wrap(record_id, new_data_key())

    def _load(self) -> Load:
        settings = self._desk.bench.settings
        return Load(size=int(settings.pack_size_limit), records=settings.pack_record_limit)

    async def _plan(self, planned: Sequence[Transfer]) -> bool:
        compaction_id = secrets.token_bytes(_ID_LEN)
        if not planned or not await self._book.plan(compaction_id, planned, now=self._ports.now()):
            return False
        reach(WorkerCrashPoint.COMPACTION_PLANNED)
        sources = {each.source for each in planned}
        log.info(
            "compaction_planned",
            compaction=compaction_id.hex(),
            sources=len(sources),
            records=len(planned),
            resealed=sum(each.wrapped_key is not None for each in planned),
        )
        return True
