"""Removes what has expired and the chain has left, and tells holders of grants that end soon."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import structlog

from caregrid.chain.calls import purge_expired
from caregrid.chain.port import Expirable, ExpirableGrant, ExpirableRequest, RecordScope
from ocw_sidecar.ledger.scopes import scope_of_field
from ocw_sidecar.notifications.items import NoticeKind, notice
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.pipeline.steps.base import Step

if TYPE_CHECKING:
    from datetime import datetime

    from caregrid.chain.port import Event
    from ocw_sidecar.ledger.items import EndingGrant
    from ocw_sidecar.notifications.items import Notice
    from ocw_sidecar.workers.desk import Desk

log = structlog.get_logger()


class ExpiryStep(Step):
    """Looks each block.

    A grant past its expiry gives nothing, purged or not; and the chain removes what has expired by itself, in
    the idle time of blocks. What is purged here is what busy blocks left, so that deposits come back.
    """

    name: ClassVar[str] = "expiry"
    bell = Bell.BLOCK

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.bench)
        self._desk, self._ledger, self._ports = desk, desk.ledger, desk.bench.ports
        self._settings = desk.bench.settings.workers.expiry

    async def run_once(self) -> int:
        """Do some of what is due; return how many grants and requests were purged or told of."""
        height = await self._desk.block_log.cursor()
        if height is None:
            return 0
        return await self._warn(height) + await self._purge(height)

    async def _warn(self, height: int) -> int:
        lead = self._settings.lead_blocks
        ending = await self._ledger.unwarned(height, lead=lead, limit=self._settings.batch) if lead else []
        if ending:
            # Told before it is noted: a crash in between tells the same again, which is dropped as known.
            now = self._ports.now()
            await self._desk.notices.add([_warning(grant, self._desk.organisation, now) for grant in ending])
            await self._ledger.note_warned(ending)
        return len(ending)

    async def _purge(self, height: int) -> int:
        before = height - self._settings.grace_blocks
        due, forgotten = list[Expirable](), 0
        for item in await self._ledger.ended(before, self._settings.batch):
            if await self._stands(item):
                due.append(item)
            else:
                await self._ledger.forget(item)
                forgotten += 1
        if not due:
            return forgotten
        receipt = await self._ports.submitter.submit(purge_expired(due))
        removed = [gone for event in receipt.events if (gone := _removed(event)) is not None]
        for gone in removed:
            await self._ledger.forget(gone)
        log.info("expired_purged", asked=len(due), purged=len(removed))
        return forgotten + len(removed)

    async def _stands(self, item: Expirable) -> bool:
        if isinstance(item, ExpirableGrant):
            return await self._ports.chain.grant(item.scope, item.grantee) is not None
        return await self._ports.chain.access_request(item.record_id, item.requester) is not None


def _warning(grant: EndingGrant, organisation: bytes, now: datetime) -> Notice:
    scope = grant.scope
    facts: dict[str, str | int] = (
        {"record": scope.record_id.hex()}
        if isinstance(scope, RecordScope)
        else {"patient": scope.patient_id.hex()}
    )
    facts |= {"expires_at": grant.expires_at, "custodian": organisation.hex()}
    return notice(NoticeKind.ACCESS_EXPIRING, grant.grantee, now, **facts)


def _removed(event: Event) -> Expirable | None:
    if (event.pallet, event.name) == ("Emr", "AccessExpired"):
        scope = scope_of_field(event.fields["scope"])
        return ExpirableGrant(scope=scope, grantee=event.fields["grantee"])
    if (event.pallet, event.name) == ("Emr", "RequestExpired"):
        return ExpirableRequest(record_id=event.fields["record"], requester=event.fields["requester"])
    return None
