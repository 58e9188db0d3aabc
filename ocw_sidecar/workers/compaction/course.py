"""Takes one new object on its way: from its plan to a file, into storage, onto the chain, into our books."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.errors import FileIdMismatch, ProtocolViolation, RecordUnknown
from caregrid.proofs import manifest_root
from ocw_sidecar.pipeline.compaction import CompactionState
from ocw_sidecar.pipeline.crashpoints import WorkerCrashPoint, reach
from ocw_sidecar.pipeline.faults import UNEXPECTED, place_of, reason_of
from ocw_sidecar.workers.compaction.moving import Mover
from ocw_sidecar.workers.compaction.recoding import DataKeys
from ocw_sidecar.workers.compaction.retrying import due_after, postpone_reseal
from ocw_sidecar.workers.compaction.writing import SourceUnreadable, write_object

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocw_sidecar.pipeline.compaction import Compaction, Transfer
    from ocw_sidecar.workers.compaction.files import ObjectFiles
    from ocw_sidecar.workers.desk import Desk

#: Half an hour for one object: of 1 GiB at half a megabyte a second.
PUT_TIMEOUT_S: Final = 1_800.0
#: One question to the gateway.
STAT_TIMEOUT_S: Final = 60.0

log = structlog.get_logger()


class Course:
    """Each step is noted before the next begins; each that was cut short is done again from its beginning."""

    def __init__(self, desk: Desk, files: ObjectFiles) -> None:
        self._desk, self._book, self._files = desk, desk.compaction, files
        self._ports, self._mover = desk.bench.ports, Mover(desk)

    async def take_on(self, plan: Compaction) -> int:
        """Take a compaction as far as it goes now; return how many records it has moved."""
        planned = await self._book.transfers(plan.compaction_id)
        if plan.state is CompactionState.PLANNED:
            if not await self._try_to_assemble(plan, planned):
                return 0
            return await self._go_on(plan.compaction_id)
        try:
            return await self._store_and_move(plan, planned)
        except Exception as exc:  # noqa: BLE001 - one object must not hold up the others; the log says where
            await self._postpone(plan, exc)
            return 0

    async def _go_on(self, compaction_id: bytes) -> int:
        found = [each for each in await self._book.open_compactions() if each.compaction_id == compaction_id]
        return sum([await self.take_on(each) for each in found])

    async def _try_to_assemble(self, plan: Compaction, planned: Sequence[Transfer]) -> bool:
        try:
            await self._assemble(plan, planned)
        except SourceUnreadable as exc:
            await self._give_up(plan, exc.transfers, exc.cause)
        except Exception as exc:  # noqa: BLE001 - as above
            await self._give_up(plan, planned, exc)
        else:
            return True
        return False

    async def _assemble(self, plan: Compaction, planned: Sequence[Transfer]) -> None:
        await asyncio.to_thread(self._files.require_room, plan.size)
        keys = {each.record_id: await self._keys(each) for each in planned if each.wrapped_key is not None}
        path = self._files.path(plan.compaction_id)
        written = await write_object(self._ports.store, planned, keys, path)
        targets = [replace(each.target, digest=written.digests[each.record_id]) for each in planned]
        root = await asyncio.to_thread(manifest_root, targets)
        reach(WorkerCrashPoint.COMPACTION_WRITTEN)
        await self._book.finish_assembly(
            plan.compaction_id,
            object_id=written.object_id,
            manifest_root=root,
            resealed={record_id: written.digests[record_id] for record_id in keys},
            now=self._ports.now(),
        )
        reach(WorkerCrashPoint.COMPACTION_ASSEMBLED)

    async def _keys(self, each: Transfer) -> DataKeys:
        stored, record_id = await self._desk.bench.queue.releasable_key(each.record_id), each.record_id
        if stored is None or each.wrapped_key is None:
            raise SourceUnreadable([each], RecordUnknown())
        unwrap = self._ports.key_store.unwrap
        try:
            old = await asyncio.to_thread(unwrap, record_id, stored)
            return DataKeys(old=old, new=await asyncio.to_thread(unwrap, record_id, each.wrapped_key))
        except Exception as exc:
            raise SourceUnreadable([each], exc) from exc

    async def _give_up(self, plan: Compaction, culprits: Sequence[Transfer], fault: Exception) -> None:
        """Drop a plan of which nothing is stored; those it failed by wait, the others are planned anew."""
        await self._book.drop(plan.compaction_id)
        for record_id in [each.record_id for each in culprits if each.wrapped_key is not None]:
            await postpone_reseal(self._desk, record_id, _reason(fault))
        for source in {each.source for each in culprits if each.wrapped_key is None}:
            due = due_after(await self._book.attempts_at(source) + 1, self._ports.now())
            await self._book.postpone_object(source, due=due, reason=_reason(fault), failed=True)
        log.warning("compaction_dropped", compaction=plan.compaction_id.hex(), **_facts(fault))

    async def _store_and_move(self, plan: Compaction, planned: Sequence[Transfer]) -> int:
        if plan.state is CompactionState.ASSEMBLED:
            if not await self._store(plan):
                return 0
            await self._book.finish_storing(plan.compaction_id, now=self._ports.now())
            reach(WorkerCrashPoint.COMPACTION_STORED)
        moved = await self._mover.move(plan, planned)
        await self._book.finish(plan.compaction_id, moved=moved, now=self._ports.now())
        reach(WorkerCrashPoint.COMPACTION_NOTED)
        await asyncio.to_thread(self._files.remove, plan.compaction_id)
        log.info(
            "object_compacted",
            compaction=plan.compaction_id.hex(),
            object=None if plan.object_id is None else plan.object_id.hex(),
            sources=len({each.source for each in planned}),
            moved=len(moved),
            left_out=len(planned) - len(moved),
        )
        return len(moved)

    async def _store(self, plan: Compaction) -> bool:
        """Upload the file; False when there is none any more, and the plan begins anew."""
        if plan.object_id is None:
            raise ProtocolViolation("a compaction is to be stored that was not assembled")
        path = self._files.path(plan.compaction_id)
        if not await asyncio.to_thread(path.exists):
            if await self._is_there(plan.object_id):
                return True
            await self._book.assemble_again(plan.compaction_id, now=self._ports.now())
            return False
        async with asyncio.timeout(PUT_TIMEOUT_S):
            stored = await self._ports.store.put(path)
        if stored != plan.object_id:
            await asyncio.to_thread(self._files.remove, plan.compaction_id)
            raise FileIdMismatch("a compaction's file is not what was assembled; check the disk")
        reach(WorkerCrashPoint.COMPACTION_UPLOADED)
        return True

    async def _is_there(self, object_id: bytes) -> bool:
        async with asyncio.timeout(STAT_TIMEOUT_S):
            return await self._ports.store.stat(object_id) is not None

    async def _postpone(self, plan: Compaction, fault: Exception) -> None:
        due = due_after(plan.attempts + 1, self._ports.now())
        await self._book.postpone(plan.compaction_id, due=due, reason=_reason(fault))
        log.warning("compaction_waits", compaction=plan.compaction_id.hex(), **_facts(fault))


def _reason(fault: Exception) -> str:
    return "TIMEOUT" if isinstance(fault, TimeoutError) else reason_of(fault)


def _facts(fault: Exception) -> dict[str, str]:
    reason = _reason(fault)
    if reason != UNEXPECTED:
        return {"reason": reason}
    return {"reason": reason, "fault": type(fault).__name__, "place": place_of(fault)}
