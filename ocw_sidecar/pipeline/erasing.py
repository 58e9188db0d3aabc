"""Has records erased: the list first, then the decision that destroys the keys; the rest is the worker's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import structlog

from caregrid.errors import ChainUnreachable, Recoverable
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.pipeline.crashpoints import WorkerCrashPoint, reach
from ocw_sidecar.pipeline.erasure import Cause
from ocw_sidecar.pipeline.lookup import LOOKUP_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from caregrid.erasures import ReasonCode
    from ocw_sidecar.pipeline.bench import Bench
    from ocw_sidecar.pipeline.erasure import Decision, ErasureBook, ErasureList
    from ocw_sidecar.pipeline.upkeep import Upkeep

#: One question about `LOOKUP_SIZE` records; a node answers it in milliseconds.
TOMBSTONES_TIMEOUT_S: Final = 30.0
#: Before it serves, a sidecar looks at all its keys for so long; what is left, its worker does.
SWEEP_TIMEOUT_S: Final = 120.0
#: The database's log could not be emptied of what was deleted, since somebody read from it.
LOG_IN_USE: Final = "LOG_IN_USE"
#: Ids of the list that are taken on at once.
_PAGE: Final = 256

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Eraser:
    """Decides; the same for the API, and for what is found to be erased already."""

    bench: Bench
    book: ErasureBook
    listed: ErasureList
    upkeep: Upkeep

    async def erase(self, record_id: bytes, *, code: ReasonCode | None) -> Decision:
        """Put a record on the list and destroy its keys; it cannot be taken back.

        Cut short anywhere, it is done again at the next start, or by asking again.

        Raises:
            DiskLow: there is no room to write it down; nothing was done.
            DatabaseUnreachable: it may be carried out later all the same.
        """
        await asyncio.to_thread(self.listed.add, record_id)
        reach(WorkerCrashPoint.ERASURE_LISTED)
        decision = await self._decide(record_id, Cause.ASKED, code)
        reach(WorkerCrashPoint.ERASURE_DECIDED)
        await self._scrub()
        self.bench.bells.ring(Bell.BLOCK, Bell.SETTLED)
        return decision

    async def replay(self) -> int:
        """Destroy the keys of what the list names and the database has not; return how many records."""
        replayed, ids = 0, self.listed.ids()
        while page := await asyncio.to_thread(_next, ids):
            for record_id in await self.book.undone(page):
                await self._decide(record_id, Cause.LIST, None)
                replayed += 1
        return await self._told("erasures_replayed", replayed)

    async def sweep(self) -> int:
        """Destroy the keys of what the chain says is erased; return how many records.

        Raises:
            ChainUnreachable: it cannot be told now.
        """
        swept, after = 0, b""
        while ids := await self.upkeep.record_ids(after=after, limit=LOOKUP_SIZE):
            after = ids[-1]
            for record_id, tombstone in (await self._tombstones(ids)).items():
                if tombstone == self.bench.settings.organisation:
                    await self._decide(record_id, Cause.CHAIN, None)
                    swept += 1
        return await self._told("erased_keys_found", swept)

    async def _tombstones(self, ids: Sequence[bytes]) -> dict[bytes, bytes]:
        try:
            async with asyncio.timeout(TOMBSTONES_TIMEOUT_S):
                found = await self.bench.ports.chain.tombstones(ids)
        except TimeoutError as exc:
            raise ChainUnreachable from exc
        return {record_id: tombstone.custodian for record_id, tombstone in found.items()}

    async def _decide(self, record_id: bytes, cause: Cause, code: ReasonCode | None) -> Decision:
        decision = await self.book.decide(record_id, cause=cause, code=code, now=self.bench.ports.now())
        await asyncio.to_thread(self.bench.spool.remove, decision.freed)
        if decision.fresh or decision.destroyed:
            log.info("keys_destroyed", record=record_id.hex(), cause=str(cause))
        return decision

    async def _scrub(self) -> None:
        try:
            reason = None if await self.book.scrub() else LOG_IN_USE
        except Recoverable as exc:
            reason = exc.code
        if reason is not None:  # the worker tries again
            log.warning("log_not_emptied", reason=reason)

    async def _told(self, event: str, count: int) -> int:
        if count:
            await self._scrub()
            log.warning(event, records=count)
        return count


def _next(ids: Iterator[bytes]) -> list[bytes]:
    return list(islice(ids, _PAGE))
