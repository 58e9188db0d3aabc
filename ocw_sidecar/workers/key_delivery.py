"""Delivers the data keys of grants that were given without one: escrowed here, their digest on the chain.

Who gives a grant by his wallet cannot wrap the key, which only the custodian has. So the ledger's pending
grants are looked at each block; the key is wrapped to the grantee's encryption key and kept, and then the
chain is told its digest. Nothing is sent before the chain was asked how the grant stands: an earlier attempt
may have gone through.

A grant is due again when its grantee sets a new encryption key, and when the record is sealed under another
data key. A key that stands in the grant itself is then replaced by another one in the grant, so that whoever
reads without a sidecar goes on doing so, and the deposit stays whose it is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, Final

import structlog

from caregrid.chain.calls import deliver_keys
from caregrid.chain.port import Escrowed, ExpirableGrant, Inline, KeyDelivery, RecordScope
from caregrid.errors import CallRejected, GrantExpired, NoEncryptionKey, RecordUnknown, Recoverable
from caregrid.keys import wrap_data_key
from ocw_sidecar.ledger.escrow import escrow_digest
from ocw_sidecar.ledger.items import EscrowedKey
from ocw_sidecar.ledger.scopes import scope_of_field
from ocw_sidecar.pipeline.backoff import PASSING_FAULT, RetryAt
from ocw_sidecar.pipeline.bells import Bell
from ocw_sidecar.pipeline.crashpoints import WorkerCrashPoint, reach
from ocw_sidecar.pipeline.faults import reason_of
from ocw_sidecar.pipeline.steps.base import Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.chain.port import EncryptionKey, Event, Grant, Scope
    from ocw_sidecar.ledger.items import PendingGrant
    from ocw_sidecar.workers.desk import Desk

    _Place = tuple[Scope, bytes]

#: The chain took the call and said nothing of this grant.
UNANSWERED: Final = "UNANSWERED"

log = structlog.get_logger()


class KeyDeliveryStep(Step):
    """Wraps, keeps, and delivers."""

    name: ClassVar[str] = "key-delivery"
    bell = Bell.BLOCK

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk.bench)
        self._desk, self._ledger, self._ports = desk, desk.ledger, desk.bench.ports
        self._settings = desk.bench.settings.workers.key_delivery

    async def run_once(self) -> int:
        """Deliver some of the keys that are due; return how many grants were settled."""
        due = await self._ledger.pending(now=self._ports.now(), limit=self._settings.batch)
        settled = 0
        ready: dict[_Place, tuple[PendingGrant, KeyDelivery]] = {}
        for grant in due:
            try:
                delivery = await self._prepare(grant)
            except Recoverable:
                raise
            except Exception as exc:  # noqa: BLE001 - one bad grant must not hold up the others
                await self._postpone(grant, reason_of(exc))
                continue
            if delivery is None:
                settled += 1
            else:
                ready[grant.scope, grant.grantee] = grant, delivery
        return settled + await self._deliver(ready)

    async def _prepare(self, grant: PendingGrant) -> KeyDelivery | None:
        """Return what to deliver; None when there is nothing to do any more."""
        present = await self._ports.chain.grant(grant.scope, grant.grantee)
        if present is None:
            await self._ledger.forget(ExpirableGrant(scope=grant.scope, grantee=grant.grantee))
            return None
        if not present.is_live((await self._ports.chain.finalized_head()).number):
            raise GrantExpired
        key = await self._ports.chain.encryption_key(grant.grantee)
        if key is None:
            raise NoEncryptionKey
        if isinstance(present.key, Inline) and present.key.key_version == key.version and not grant.wave:
            await self._settle(grant, present.key)
            return None
        return await self._replacement(grant, present, key)

    async def _replacement(
        self, grant: PendingGrant, present: Grant, key: EncryptionKey
    ) -> KeyDelivery | None:
        kept = await self._kept(grant, key)
        if kept is None:
            return None  # marked again just now, so it is due again
        wanted = _as_delivered(present, kept, key.version)
        if present.key == wanted:
            await self._settle(grant, wanted)
            return None
        return KeyDelivery(scope=grant.scope, grantee=grant.grantee, key=wanted)

    async def _kept(self, grant: PendingGrant, key: EncryptionKey) -> list[EscrowedKey] | None:
        """Return the grant's keys in escrow, of an earlier attempt if they are good."""
        kept = await self._ledger.escrow(grant.scope, grant.grantee)
        if kept and all(each.key_version == key.version for each in kept):
            return kept
        stored = await self._stored_keys(grant.scope)
        wrapped = await asyncio.to_thread(self._wrap, stored, key)
        if not await self._ledger.keep_escrow(grant.scope, grant.grantee, wrapped, wave=grant.wave):
            return None
        reach(WorkerCrashPoint.ESCROWED)
        return wrapped

    async def _stored_keys(self, scope: Scope) -> dict[bytes, bytes]:
        """Return the custodian's wrapped keys by record id."""
        if isinstance(scope, RecordScope):
            stored = await self._bench.queue.releasable_key(scope.record_id)
            if stored is None:
                raise RecordUnknown
            return {scope.record_id: stored}
        ids = await self._ledger.records_of_patient(scope.patient_id, self._settings.patient_records)
        found = {record_id: await self._bench.queue.releasable_key(record_id) for record_id in ids}
        return {record_id: stored for record_id, stored in found.items() if stored is not None}

    def _wrap(self, stored: dict[bytes, bytes], key: EncryptionKey) -> list[EscrowedKey]:
        return [
            EscrowedKey(
                record_id=record_id,
                wrapped=wrap_data_key(
                    key.public_key, self._ports.key_store.unwrap(record_id, own), record_id, key.account
                ),
                key_version=key.version,
            )
            for record_id, own in stored.items()
        ]

    async def _deliver(self, ready: dict[_Place, tuple[PendingGrant, KeyDelivery]]) -> int:
        if not ready:
            return 0
        call = deliver_keys(self._desk.organisation, [delivery for _, delivery in ready.values()])
        try:
            receipt = await self._ports.submitter.submit(call)
        except (Recoverable, CallRejected) as exc:
            # A call whose outcome is unknown may stand on the chain: the next attempt looks there first.
            for grant, _ in ready.values():
                await self._postpone(grant, reason_of(exc))
            return 0
        reach(WorkerCrashPoint.DELIVERED)
        return await self._note(ready, receipt.events)

    async def _note(
        self, ready: dict[_Place, tuple[PendingGrant, KeyDelivery]], events: Sequence[Event]
    ) -> int:
        settled = 0
        answers = {
            (scope_of_field(event.fields["scope"]), event.fields["grantee"]): event
            for event in events
            if event.pallet == "Emr" and event.name in {"KeyDelivered", "KeyRejected"}
        }
        for place, (grant, delivery) in ready.items():
            answer = answers.get(place)
            if answer is not None and answer.name == "KeyDelivered":
                await self._settle(grant, delivery.key)
                settled += 1
            else:
                await self._postpone(grant, UNANSWERED if answer is None else str(answer.fields["reason"]))
        return settled

    async def _settle(self, grant: PendingGrant, key: Inline | Escrowed) -> None:
        await self._ledger.settle(
            grant.scope,
            grant.grantee,
            key_version=key.key_version,
            escrowed=isinstance(key, Escrowed),
            wave=grant.wave,
        )
        log.info("key_delivered", emergency=grant.emergency)

    async def _postpone(self, grant: PendingGrant, reason: str) -> None:
        decision = PASSING_FAULT.decide(attempt=grant.attempts + 1, now=self._ports.now())
        if isinstance(decision, RetryAt):
            await self._ledger.postpone(grant, due=decision.at, reason=reason)
        log.warning("key_not_delivered", reason=reason, attempt=grant.attempts + 1)


def _as_delivered(present: Grant, kept: Sequence[EscrowedKey], version: int) -> Inline | Escrowed:
    """Return kept keys as the grant is to have them: in it, where it had its key so far, else by digest."""
    if isinstance(present.key, Inline) and isinstance(present.scope, RecordScope):
        [only] = kept
        return Inline(wrapped=only.wrapped, key_version=version)
    return Escrowed(digest=escrow_digest(present.scope, kept), key_version=version)
