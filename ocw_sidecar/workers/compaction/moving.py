"""Has the chain note that records lie in another object, and asks it what came of that."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import structlog

from caregrid.chain.calls import MAX_BATCH, move_records
from caregrid.errors import NotYetAnchored, ProtocolViolation
from caregrid.records import ObjectEntry
from ocw_sidecar.pipeline.crashpoints import WorkerCrashPoint, reach
from ocw_sidecar.pipeline.lookup import anchored_records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.chain.port import Call, Receipt, Record
    from ocw_sidecar.pipeline.compaction import Compaction, Transfer
    from ocw_sidecar.workers.desk import Desk

log = structlog.get_logger()


class Mover:
    """Asks the chain where records lie before it sends anything: a call may have gone through unheard."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._ports = desk, desk.bench.ports

    async def move(self, plan: Compaction, planned: Sequence[Transfer]) -> set[bytes]:
        """Move what still lies in its source; return the ids of those that the finalized head has moved.

        Raises:
            Recoverable: it is not known, or not yet; look again later.
            CallRejected: the chain takes no such call from us.
        """
        found = await self._found(planned)
        waiting = [each for each in planned if _waits(each, found.get(each.record_id))]
        refused = await self._submit(self._calls(plan, waiting)) if waiting else set[bytes]()
        if waiting:
            found = await self._found(planned)
        left = [each for each in waiting if _waits(each, found.get(each.record_id))]
        if any(each.record_id not in refused for each in left):
            raise ProtocolViolation("the chain did not say what became of a record")
        return {each.record_id for each in planned if _is_there(plan, each, found.get(each.record_id))}

    async def _found(self, planned: Sequence[Transfer]) -> dict[bytes, Record]:
        return await anchored_records(self._ports.chain, [each.record_id for each in planned])

    def _calls(self, plan: Compaction, waiting: Sequence[Transfer]) -> list[Call]:
        if plan.object_id is None or plan.manifest_root is None:
            raise ProtocolViolation("a compaction is to be moved to that was not assembled")
        entry = ObjectEntry(
            object_id=plan.object_id,
            size=plan.size,
            record_count=plan.record_count,
            manifest_root=plan.manifest_root,
        )
        targets = [each.target for each in waiting]
        return [
            move_records(self._desk.organisation, entry, targets[start : start + MAX_BATCH])
            for start in range(0, len(targets), MAX_BATCH)
        ]

    async def _submit(self, calls: Sequence[Call]) -> set[bytes]:
        answers = await self._ports.submitter.submit_many(calls)
        reach(WorkerCrashPoint.COMPACTION_SUBMITTED)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        receipts = [answer for answer in answers if not isinstance(answer, Exception)]
        newest = max(receipt.block.number for receipt in receipts)
        if (await self._ports.chain.finalized_head()).number < newest:
            raise NotYetAnchored  # this endpoint lags behind the one that we submitted to
        return {record_id for receipt in receipts for record_id in _refused(receipt)}


def _refused(receipt: Receipt) -> set[bytes]:
    refused = {
        event.fields["record"]: str(event.fields["reason"])
        for event in receipt.events
        if (event.pallet, event.name) == ("Emr", "RecordRejected")
    }
    for reason, count in Counter(refused.values()).items():
        log.warning("records_not_moved", reason=reason, records=count)
    return set(refused)


def _waits(each: Transfer, record: Record | None) -> bool:
    """Whether a record still lies where it is to be moved from."""
    place = (each.source, each.source_offset, each.source_digest)
    return record is not None and place == (record.object_id, record.offset, record.digest)


def _is_there(plan: Compaction, each: Transfer, record: Record | None) -> bool:
    place = (plan.object_id, each.target.offset, each.target.digest)
    return record is not None and place == (record.object_id, record.offset, record.digest)
