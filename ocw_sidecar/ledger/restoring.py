"""Fills a new ledger from the chain's state, where the events of the past are not to be had.

Grants are found by the chain's own index of what expires; objects and records by what this sidecar has
stored. Requests, and objects that another of the organisation's sidecars stored, are known only from the
blocks that follow; to have them too, set `clock.start_block` and follow a node that keeps old state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from caregrid.chain.limits import MAX_GRANT_DURATION
from caregrid.chain.port import RecordScope
from ocw_sidecar.ledger.items import Snapshot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime

    from caregrid.chain.port import BlockRef, Chain, Grant
    from ocw_sidecar.ledger.port import Ledger

#: Records asked for in one request; a node answers this many well inside its limits.
LOOKUP_SIZE: Final = 512

log = structlog.get_logger()


class Restorer:
    """Reads grants page by page and our objects one by one; memory stays bounded."""

    def __init__(
        self,
        *,
        chain: Chain,
        ledger: Ledger,
        organisation: bytes,
        own_records: Callable[[], AsyncIterator[Sequence[bytes]]],
        now: Callable[[], datetime],
    ) -> None:
        """Take what to read from.

        Args:
            chain: the chain.
            ledger: what to fill.
            organisation: whose grants are wanted.
            own_records: yields ids of records that this sidecar anchored, at most `LOOKUP_SIZE` at a time.
            now: the time.
        """
        self._chain, self._ledger, self._organisation = chain, ledger, organisation
        self._own_records, self._now = own_records, now

    async def restore(self, block: BlockRef) -> None:
        """Take over what stands at a block or later; the blocks behind it may be followed afterwards."""
        grants = await self._restore_grants(block.number)
        records = await self._restore_records(block.number)
        await self._ledger.drop_orphans()
        log.info("ledger_restored", block=block.number, grants=grants, records=records)

    async def _restore_grants(self, height: int) -> int:
        count, after = 0, None
        while True:
            page = await self._chain.expiring_grants(height + 1, height + MAX_GRANT_DURATION + 1, after=after)
            own = [grant for grant in page.items if await self._is_own(grant)]
            await self._ledger.restore(Snapshot(grants=own), height=height, now=self._now())
            count, after = count + len(own), page.next
            if after is None:
                return count

    async def _is_own(self, grant: Grant) -> bool:
        if isinstance(grant.scope, RecordScope):
            record = await self._chain.record(grant.scope.record_id)
            patient_id = None if record is None else record.patient_id
        else:
            patient_id = grant.scope.patient_id
        patient = None if patient_id is None else await self._chain.patient(patient_id)
        return patient is not None and patient.organisation == self._organisation

    async def _restore_records(self, height: int) -> int:
        count, known = 0, set[bytes]()
        async for ids in self._own_records():
            records = (await self._chain.records(ids)).values()
            fresh = {record.object_id for record in records} - known
            found = [await self._chain.stored_object(object_id) for object_id in sorted(fresh)]
            snapshot = Snapshot(
                objects=[each for each in found if each is not None],
                records=[(each.record_id, each.patient_id, each.object_id) for each in records],
            )
            await self._ledger.restore(snapshot, height=height, now=self._now())
            known |= fresh
            count += len(snapshot.records)
        return count
