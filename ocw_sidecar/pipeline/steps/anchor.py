"""stored → anchored: has the chain note what lies where, at most once a record.

Nothing is submitted before its record ids are looked up at the finalized head: an earlier attempt may have
gone through without our hearing of it. A call that is still on its way then does no harm either, since the
chain refuses an id that it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.chain.calls import MAX_BATCH, store_emr_batch
from caregrid.errors import ProtocolViolation
from caregrid.records import ObjectEntry
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.pipeline.crashpoints import CrashPoint, reach
from ocw_sidecar.pipeline.items import Anchoring
from ocw_sidecar.pipeline.lookup import anchored_records
from ocw_sidecar.pipeline.states import RecordState, Stage
from ocw_sidecar.pipeline.steps.base import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.chain.port import Call, Receipt
    from caregrid.records import RecordEntry
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.items import Job, Pack

#: The chain's word for an id that it has; whose record it is, the confirm step finds out.
ALREADY_THERE: Final = "RecordExists"

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Plan:
    job: Job
    there: dict[bytes, int]  #: record id to block, found before submitting
    calls: Sequence[Call]


class AnchorStep(Step):
    """Submits the calls of many packs together."""

    bell = Bell.ANCHOR

    def __init__(self, bench: Bench, *, batch: int) -> None:
        super().__init__(bench)
        self._batch = batch

    async def run_once(self) -> int:
        """Lease a batch of packs, submit what the chain lacks, and note its answers."""
        jobs = await self._bench.leases.claim(Stage.ANCHOR, self._batch)
        with self._bench.leases.holding(jobs):
            prepared = [await self._bench.attempt(job, self._prepare(job)) for job in jobs]
            plans = [plan for plan in prepared if plan is not None]
            answers = iter(await self._submit([call for plan in plans for call in plan.calls]))
            for plan in plans:
                own = [next(answers) for _ in plan.calls]
                await self._bench.attempt(plan.job, self._note(plan, own))
        return len(jobs)

    async def _prepare(self, job: Job) -> _Plan:
        queue = self._bench.queue
        pack = await queue.pack(job.item)
        if pack is None:
            raise ProtocolViolation("a job names a pack that the queue does not hold")
        waiting = [record.entry for record in await queue.pack_records(job.item, RecordState.STORED)]
        there = await anchored_records(self._bench.ports.chain, [entry.record_id for entry in waiting])
        missing = [entry for entry in waiting if entry.record_id not in there]
        blocks = {record_id: record.anchored_at for record_id, record in there.items()}
        return _Plan(job=job, there=blocks, calls=self._calls(pack, missing))

    def _calls(self, pack: Pack, missing: Sequence[RecordEntry]) -> list[Call]:
        if pack.object_id is None or pack.manifest_root is None:
            raise ProtocolViolation("a job names a pack that is not assembled")
        entry = ObjectEntry(
            object_id=pack.object_id,
            size=pack.size,
            record_count=pack.record_count,
            manifest_root=pack.manifest_root,
        )
        organisation = self._bench.settings.organisation
        return [
            store_emr_batch(organisation, entry, missing[start : start + MAX_BATCH])
            for start in range(0, len(missing), MAX_BATCH)
        ]

    async def _submit(self, calls: Sequence[Call]) -> Sequence[Receipt | Exception]:
        if not calls:
            return []
        try:
            return await self._bench.ports.submitter.submit_many(calls)
        except Exception as exc:  # noqa: BLE001 - one answer for all: each pack settles it for itself
            return [exc] * len(calls)
        finally:
            reach(CrashPoint.SUBMITTED)

    async def _note(self, plan: _Plan, answers: Sequence[Receipt | Exception]) -> None:
        anchored, refused, faults = dict(plan.there), dict[bytes, str](), list[Exception]()
        for answer in answers:
            if isinstance(answer, Exception):
                faults.append(answer)
            else:
                _read(answer, anchored, refused)
        outcome = Anchoring(anchored=anchored, refused=refused)
        left = await self._bench.queue.note_anchoring(plan.job, outcome, now=self._bench.ports.now())
        if left:
            raise faults[0] if faults else ProtocolViolation("the chain did not say what became of a record")
        reach(CrashPoint.ANCHORED)
        self._bench.bells.ring(Bell.CONFIRM, Bell.SETTLED)
        log.info("pack_anchored", pack=plan.job.item.hex(), anchored=len(anchored), refused=len(refused))


def _read(receipt: Receipt, anchored: dict[bytes, int], refused: dict[bytes, str]) -> None:
    for event in receipt.events:
        if (event.pallet, event.name) == ("Emr", "RecordStored"):
            anchored[event.fields["record"]] = receipt.block.number
        elif (event.pallet, event.name) == ("Emr", "RecordRejected"):
            if (reason := str(event.fields["reason"])) == ALREADY_THERE:
                anchored[event.fields["record"]] = receipt.block.number
            else:
                refused[event.fields["record"]] = reason
