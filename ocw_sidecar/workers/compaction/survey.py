"""Which objects have so much erased in them that the rest is to move."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from ocw_sidecar.pipeline.lookup import anchored_records
from ocw_sidecar.workers.compaction.retrying import due_after

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.chain.port import Record, StoredObject
    from ocw_sidecar.pipeline.compaction import ErasedFrom
    from ocw_sidecar.workers.desk import Desk

#: More than any object of ours has.
MAX_RECORDS: Final = 65_536
#: Objects whose state on chain is looked at in one run, in turn: the events that tell may be lost to us.
SCANNED: Final = 32
#: A day. An object that is anchored in part may be under way in another sidecar of the organisation so long.
SETTLED_BLOCKS: Final = 43_200

#: Too little is erased to be worth the upload.
NOT_YET: Final = "NOT_YET"
#: A pack of ours, or somebody's, is still to become this object.
UNDER_WAY: Final = "PACK_UNDER_WAY"
#: Records of the pack failed; once the object is gone they could not be replayed.
RECORDS_FAILED: Final = "RECORDS_FAILED"
#: The chain has records in the object that the ledger does not know, or the other way round.
LEDGER_INCOMPLETE: Final = "LEDGER_INCOMPLETE"

_ID_LEN: Final = 32

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Remnant:
    """What is left of an object."""

    object_id: bytes
    records: Sequence[Record]  #: those that stand, by offset; at least one

    @property
    def size(self) -> int:
        """How many bytes that is."""
        return sum(record.length for record in self.records)


class Survey:
    """Looks at objects one by one; what it finds out it notes."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._book, self._chain = desk, desk.compaction, desk.bench.ports.chain
        self._settings, self._now = desk.bench.settings.workers.compaction, desk.bench.ports.now
        self._after = secrets.token_bytes(_ID_LEN)

    async def scan(self) -> int:
        """Ask the chain of some objects, in turn, whether anything was erased; return how many have that."""
        ids = await self._desk.compaction.objects_after(self._after, SCANNED)
        self._after = ids[-1] if len(ids) == SCANNED else b""
        erased = [object_id for object_id in ids if await self._has_erased(object_id)]
        await self._book.note_erased(erased, now=self._now())
        return len(erased)

    async def look(self, known: ErasedFrom) -> Remnant | None:
        """Return what is to move out of an object; None when nothing is, or not now."""
        stored = await self._chain.stored_object(known.object_id)
        if stored is None or stored.custodian != self._desk.organisation:
            await self._book.forget_object(known.object_id)
            return None
        live, reason = await self._live(stored), await self._obstacle(stored)
        if reason is None and (len(live) != stored.anchored_records or not live):
            reason = LEDGER_INCOMPLETE
        if reason is not None:
            await self._wait(known, reason)
            return None
        remnant = Remnant(object_id=known.object_id, records=live)
        if remnant.size == stored.entry.size:
            await self._book.forget_object(known.object_id)
            return None
        return remnant if await self._is_worth_it(known, remnant, stored) else None

    async def _has_erased(self, object_id: bytes) -> bool:
        stored = await self._chain.stored_object(object_id)
        return stored is not None and stored.anchored_records < stored.entry.record_count

    async def obstacle(self, object_id: bytes) -> str | None:
        """Return why no record may leave an object now, if so."""
        if await self._desk.storage.is_under_way(object_id):
            return UNDER_WAY
        return RECORDS_FAILED if await self._book.has_failed_records(object_id) else None

    async def _obstacle(self, stored: StoredObject) -> str | None:
        return await self.obstacle(stored.entry.object_id) if await self._is_settled(stored) else UNDER_WAY

    async def _is_settled(self, stored: StoredObject) -> bool:
        if stored.anchored_records + stored.erased_records == stored.entry.record_count:
            return True
        head = await self._chain.finalized_head()
        return head.number - stored.stored_at > SETTLED_BLOCKS

    async def _live(self, stored: StoredObject) -> list[Record]:
        object_id = stored.entry.object_id
        ids = await self._desk.ledger.records_of_object(object_id, MAX_RECORDS)
        found = await anchored_records(self._chain, ids)
        live = [record for record in found.values() if record.object_id == object_id]
        return sorted(live, key=lambda record: record.offset)

    async def _is_worth_it(self, known: ErasedFrom, remnant: Remnant, stored: StoredObject) -> bool:
        erased = stored.entry.size - remnant.size
        enough = erased / stored.entry.size >= self._settings.min_erased_share
        if enough and erased >= self._settings.min_erased_bytes:
            return True
        latest = known.erased_at + timedelta(days=self._settings.max_days_erased)
        if latest <= self._now():
            return True
        await self._book.postpone_object(known.object_id, due=latest, reason=NOT_YET, failed=False)
        return False

    async def _wait(self, known: ErasedFrom, reason: str) -> None:
        due = due_after(known.attempts + 1, self._now())
        await self._book.postpone_object(known.object_id, due=due, reason=reason, failed=True)
        log.warning("object_not_compacted", object=known.object_id.hex(), reason=reason)
