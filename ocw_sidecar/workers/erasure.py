"""Carries erasures out: has the chain erase the record, then sees to it that the sealed bytes go, too.

The keys are destroyed before this begins, in the transaction of the decision; so every step may be cut short
and done again. Nothing is submitted before the chain was asked how the record stands: an earlier call may
have gone through. A record that is still on its way to the chain is let go on, sealed for ever: its pack
holds others, whose places are fixed; it is erased as soon as it is anchored, which also keeps its id from
being used again.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final, cast

import structlog

from caregrid.chain.calls import erase_record
from caregrid.chain.port import Tombstone
from caregrid.errors import CaregridError
from ocw_sidecar.pipeline.backoff import Backoff, RetryAt
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.pipeline.crashpoints import WorkerCrashPoint, reach
from ocw_sidecar.pipeline.erasing import LOG_IN_USE
from ocw_sidecar.pipeline.erasure import ErasureState
from ocw_sidecar.pipeline.faults import reason_of
from ocw_sidecar.pipeline.steps.base import Step

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from caregrid.chain.port import FinalizedBlock, LiveRecord
    from ocw_sidecar.pipeline.erasure import Erasure
    from ocw_sidecar.workers.desk import Desk

#: Erasures of one round; the next round follows at once.
BATCH: Final = 16
#: One question to the gateway.
STAT_TIMEOUT_S: Final = 60.0
#: A call, up to finality; the submitter has a deadline of its own before this.
CALL_TIMEOUT_S: Final = 300.0
#: It is a promise: it is never given up, only tried less often.
RETRY: Final = Backoff(base=timedelta(seconds=2), cap=timedelta(hours=1), jitter=0.3, max_attempts=None)

#: The record, or others of its pack, are not settled.
UNDER_WAY: Final = "RECORD_UNDER_WAY"
#: The chain does not have the record, or not yet.
NOT_ANCHORED: Final = "RECORD_NOT_ANCHORED"
#: Another custodian's record stands under this id.
FOREIGN: Final = "RECORD_FOREIGN"
#: The block that erased the record does not say where its bytes lie.
OBJECT_UNKNOWN: Final = "OBJECT_UNKNOWN"
#: Other records lie in the object: compaction moves them away.
OBJECT_STANDS: Final = "OBJECT_STANDS"
#: The storage network still has it: removal tells it to give it up.
OBJECT_STORED: Final = "OBJECT_STORED"
#: A call or a question was not answered in time.
TIMEOUT: Final = "TIMEOUT"

log = structlog.get_logger()


class ErasureStep(Step):
    """Looks each block; one process runs it, the one that leads."""

    name: ClassVar[str] = "erasure"
    bell = Bell.BLOCK

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.bench)
        self._desk, self._book, self._ports = desk, desk.eraser.book, desk.bench.ports

    async def run_once(self) -> int:
        """Carry some of what is due on; return how many got further."""
        due = await self._book.due(BATCH, now=self._ports.now())
        async with asyncio.TaskGroup() as group:
            # Their calls go into one batch.
            rounds = [group.create_task(self._round(each)) for each in due]
        return sum(each.result() for each in rounds)

    async def _round(self, erasure: Erasure) -> bool:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                reason = await self._carry_on(erasure)
        except (TimeoutError, CaregridError) as exc:
            reason = TIMEOUT if isinstance(exc, TimeoutError) else reason_of(exc)
        if reason is not None:
            await self._postpone(erasure, reason)
        return reason is None

    async def _carry_on(self, erasure: Erasure) -> str | None:
        """Take one erasure a state further; return why that has to wait, if it has."""
        if erasure.state is ErasureState.DECIDED:
            return await self._tell_chain(erasure.record_id)
        return await self._see_to_bytes(erasure)

    async def _tell_chain(self, record_id: bytes) -> str | None:
        view = await self._ports.chain.record_view(record_id)
        if view is None:
            return NOT_ANCHORED
        if view.custodian != self._desk.organisation:
            return FOREIGN
        if isinstance(view, Tombstone):
            await self._book.note_erased(record_id, block=view.erased_at, now=self._ports.now())
            return None
        # Until it is confirmed, the pipeline would take it for lost and have it anchored anew.
        if await self._book.is_open(record_id):
            return UNDER_WAY
        await self._submit(view)
        return None

    async def _submit(self, view: LiveRecord) -> None:
        record = view.record
        await self._book.note_place(record.record_id, record.object_id)
        receipt = await self._ports.submitter.submit(erase_record(view.custodian, record.record_id))
        reach(WorkerCrashPoint.ERASURE_SUBMITTED)
        await self._book.note_erased(
            record.record_id,
            block=receipt.block.number,
            object_id=record.object_id,
            call=receipt.extrinsic_hash,
            now=self._ports.now(),
        )
        reach(WorkerCrashPoint.ERASURE_NOTED)
        log.info("record_erased", record=record.record_id.hex(), block=receipt.block.number)

    async def _see_to_bytes(self, erasure: Erasure) -> str | None:
        if await self._book.is_open(erasure.record_id):
            return UNDER_WAY
        freed = await self._book.forget_payload(erasure.record_id)
        await asyncio.to_thread(self._bench.spool.remove, freed)
        object_id = erasure.object_id or await self._find_object(erasure.record_id)
        if object_id is None:
            return OBJECT_UNKNOWN
        if await self._ports.chain.stored_object(object_id) is not None:
            return OBJECT_STANDS
        async with asyncio.timeout(STAT_TIMEOUT_S):
            if await self._ports.store.stat(object_id) is not None:
                return OBJECT_STORED
        if not await self._book.scrub():
            return LOG_IN_USE
        await self._book.note_gone(erasure.record_id, now=self._ports.now())
        log.info("erased_bytes_gone", record=erasure.record_id.hex())
        return None

    async def _find_object(self, record_id: bytes) -> bytes | None:
        """Return what a restored database does not know: the object that the chain's event names."""
        tombstone = await self._ports.chain.tombstone(record_id)
        if tombstone is None:
            return None
        following = self._ports.chain.finalized_blocks(tombstone.erased_at)
        async with aclosing(cast("AsyncGenerator[FinalizedBlock]", following)) as blocks:
            block = await anext(blocks)
        for event in block.events:
            if event.name == "RecordErased" and event.fields["record"] == record_id:
                await self._book.note_place(record_id, event.fields["object"])
                return bytes(event.fields["object"])
        return None

    async def _postpone(self, erasure: Erasure, reason: str) -> None:
        now = self._ports.now()
        decision = RETRY.decide(attempt=erasure.attempts + 1, now=now)
        due = decision.at if isinstance(decision, RetryAt) else now + RETRY.cap
        await self._book.postpone(erasure.record_id, due=due, reason=reason)
        if erasure.reason != reason:
            log.info("erasure_waits", record=erasure.record_id.hex(), reason=reason)
