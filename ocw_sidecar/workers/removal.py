"""Has the storage network give up objects whose last record was erased on the chain.

What is to go is noted with the block that says so, so nothing is forgotten; deleting twice does no harm. An
object stays as long as the chain has it, or a pack of ours that is not settled is to be it: records of one
pack can be erased before the last of them is anchored.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

import structlog

from caregrid.errors import CaregridError
from ocw_sidecar.pipeline.backoff import Backoff, RetryAt
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.pipeline.faults import reason_of
from ocw_sidecar.pipeline.steps.base import Step

if TYPE_CHECKING:
    from ocw_sidecar.ledger.storage import Removal
    from ocw_sidecar.workers.desk import Desk

#: Removals of one round; the next round follows at once.
BATCH: Final = 16
#: The gateway only notes a removal; fragments go in the background.
DELETE_TIMEOUT_S: Final = 60.0
#: Erasure is a promise: it is never given up, only tried less often.
RETRY: Final = Backoff(base=timedelta(seconds=10), cap=timedelta(hours=6), jitter=0.3, max_attempts=None)
#: A pack that is to be the object is not settled yet.
UNDER_WAY: Final = "PACK_UNDER_WAY"

log = structlog.get_logger()


class RemovalStep(Step):
    """Looks each block; one process runs it, the one that leads."""

    name: ClassVar[str] = "removal"
    bell = Bell.BLOCK

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.bench)
        self._book, self._ports = desk.storage, desk.bench.ports

    async def run_once(self) -> int:
        """Do some of what is due; return how many removals were looked at."""
        due = await self._book.due_removals(BATCH, now=self._ports.now())
        for each in due:
            try:
                async with asyncio.timeout(DELETE_TIMEOUT_S):
                    reason = await self._remove(each)
            except (TimeoutError, CaregridError) as exc:
                reason = reason_of(exc)
            if reason is not None:
                await self._postpone(each, reason)
        return len(due)

    async def _remove(self, removal: Removal) -> str | None:
        """Have an object given up; return why that has to wait, if it has."""
        object_id = removal.object_id
        if await self._ports.chain.stored_object(object_id) is not None:
            await self._book.finish_removal(object_id)
            return None
        if await self._book.is_under_way(object_id):
            return UNDER_WAY
        was_there = await self._ports.store.delete(object_id)
        await self._book.finish_removal(object_id)
        log.info("object_removed", object=object_id.hex(), block=removal.removed_at, was_there=was_there)
        return None

    async def _postpone(self, removal: Removal, reason: str) -> None:
        now = self._ports.now()
        decision = RETRY.decide(attempt=removal.attempts + 1, now=now)
        due = decision.at if isinstance(decision, RetryAt) else now + RETRY.cap
        await self._book.postpone_removal(removal.object_id, due=due, reason=reason)
        log.warning("object_not_removed", object=removal.object_id.hex(), reason=reason)
