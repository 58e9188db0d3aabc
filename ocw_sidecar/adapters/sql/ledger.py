"""The ledger in a database of either kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from caregrid.chain.port import ExpirableGrant, ExpirableRequest
from ocw_sidecar.adapters.sql import ledger_redeliveries as redeliveries
from ocw_sidecar.adapters.sql import ledger_rows as rows
from ocw_sidecar.adapters.sql.ledger_fold import SQL, end_grant, fold, forget
from ocw_sidecar.adapters.sql.rows import to_ms
from ocw_sidecar.ledger.port import Ledger
from ocw_sidecar.ledger.scopes import scope_key, scope_of_key
from ocw_sidecar.pipeline import sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from caregrid.chain.port import Expirable, Scope
    from ocw_sidecar.adapters.sql.database import Database, Row, Session
    from ocw_sidecar.ledger.items import (
        Bundle,
        EndingGrant,
        EscrowedKey,
        KnownObject,
        PendingGrant,
        Snapshot,
    )

__all__ = ["SqlLedger", "fold", "forget"]

PROOFS: Final = sql.named_statements("proofs")


class SqlLedger(Ledger):
    """The ledger's tables."""

    def __init__(self, database: Database) -> None:
        self._write, self._read = database.write, database.read

    async def pending(self, *, now: datetime, limit: int) -> list[PendingGrant]:
        """List undelivered grants; see `Ledger.pending`."""
        found = await self._rows("pending_grants", now=to_ms(now), limit=limit)
        return [rows.pending(row) for row in found]

    async def postpone(self, grant: PendingGrant, *, due: datetime, reason: str) -> None:
        """Try later; see `Ledger.postpone`."""
        await self._do("postpone_grant", **rows.place(grant), due=to_ms(due), reason=reason)

    async def settle(
        self, scope: Scope, grantee: bytes, *, key_version: int, escrowed: bool, wave: int = 0
    ) -> None:
        """Note a delivered key; see `Ledger.settle`."""
        place = {"scope": scope_key(scope), "grantee": grantee}
        state = "escrowed" if escrowed else "given"
        await self._write(lambda db: redeliveries.settle(db, place, state, key_version, wave))

    async def escrow(self, scope: Scope, grantee: bytes) -> list[EscrowedKey]:
        """Read escrowed keys; see `Ledger.escrow`."""
        found = await self._rows("escrow_of_grant", scope=scope_key(scope), grantee=grantee)
        return [rows.escrowed(row) for row in found]

    async def keep_escrow(
        self, scope: Scope, grantee: bytes, keys: Sequence[EscrowedKey], *, wave: int = 0
    ) -> bool:
        """Keep keys; see `Ledger.keep_escrow`."""
        place = {"scope": scope_key(scope), "grantee": grantee}
        kept = [
            {**place, "record": key.record_id, "wrapped": key.wrapped, "key_version": key.key_version}
            for key in keys
        ]

        def keep(db: Session) -> bool:
            if not redeliveries.is_current(db, place, wave):
                return False
            db.execute(SQL["end_escrow"], place)
            db.executemany(SQL["put_escrow"], kept)
            return True

        return await self._write(keep)

    async def redeliver(self, record_id: bytes) -> int:
        """Have a record's keys delivered anew; see `Ledger.redeliver`."""
        return await self._write(lambda db: redeliveries.mark_record(db, record_id))

    async def redeliver_to(self, account: bytes) -> int:
        """Have an account's keys delivered anew; see `Ledger.redeliver_to`."""
        return await self._write(lambda db: redeliveries.mark_account(db, account))

    async def records_of_patient(self, patient_id: bytes, limit: int) -> list[bytes]:
        """List a patient's records; see `Ledger.records_of_patient`."""
        found = await self._rows("records_of_patient", patient=patient_id, limit=limit)
        return [bytes(row["record"]) for row in found]

    async def records_of_object(self, object_id: bytes, limit: int) -> list[bytes]:
        """List an object's records; see `Ledger.records_of_object`."""
        found = await self._rows("records_of_object", object=object_id, limit=limit)
        return [bytes(row["record"]) for row in found]

    async def ended(self, height: int, limit: int) -> list[Expirable]:
        """List what ended; see `Ledger.ended`."""
        grants = await self._rows("ending_grants", height=height, limit=limit)
        requests = await self._rows("ending_requests", height=height, limit=limit)
        ended: list[Expirable] = [
            ExpirableGrant(scope=scope_of_key(row["scope"]), grantee=bytes(row["grantee"])) for row in grants
        ]
        ended += [
            ExpirableRequest(record_id=bytes(row["record"]), requester=bytes(row["requester"]))
            for row in requests
        ]
        return ended[:limit]

    async def forget(self, item: Expirable) -> None:
        """Drop an entry; see `Ledger.forget`."""
        if isinstance(item, ExpirableRequest):
            await self._do("end_request", record=item.record_id, requester=item.requester)
            return
        place = {"scope": scope_key(item.scope), "grantee": item.grantee}
        await self._write(lambda db: end_grant(db, place))

    async def unwarned(self, height: int, *, lead: int, limit: int) -> list[EndingGrant]:
        """List grants to warn of; see `Ledger.unwarned`."""
        found = await self._rows(
            "unwarned_grants", height=height, until=height + lead, lead=lead, limit=limit
        )
        return [rows.ending(row) for row in found]

    async def note_warned(self, grants: Sequence[EndingGrant]) -> None:
        """Note warnings; see `Ledger.note_warned`."""
        told = [{**rows.place(grant), "expires_at": grant.expires_at} for grant in grants]
        await self._write(lambda db: db.executemany(SQL["warn_grant"], told))

    async def longest_unlooked(self, limit: int) -> list[KnownObject]:
        """List objects to look at; see `Ledger.longest_unlooked`."""
        return [rows.known(row) for row in await self._rows("longest_unlooked", limit=limit)]

    async def longest_unasked(self, height: int, limit: int) -> list[KnownObject]:
        """List objects to challenge; see `Ledger.longest_unasked`."""
        return [rows.known(row) for row in await self._rows("longest_unasked", height=height, limit=limit)]

    async def objects_near(self, pivots: Sequence[bytes]) -> list[KnownObject]:
        """Pick objects; see `Ledger.objects_near`."""

        def pick(db: Session) -> list[Row | None]:
            return [db.execute(SQL["object_after"], {"pivot": pivot}).fetchone() for pivot in pivots]

        return [rows.known(row) for row in await self._read(pick) if row is not None]

    async def note_looked(self, object_ids: Sequence[bytes], height: int) -> None:
        """Note when; see `Ledger.note_looked`."""
        looked = [{"object": object_id, "height": height} for object_id in object_ids]
        await self._write(lambda db: db.executemany(SQL["note_looked"], looked))

    async def note_asked(
        self, object_id: bytes, height: int, *, contained: int, contained_at: int | None
    ) -> None:
        """Note when, and what is open; see `Ledger.note_asked`."""
        await self._do(
            "note_asked", object=object_id, height=height, contained=contained, contained_at=contained_at
        )

    async def keep_bundle(self, bundle: Bundle, *, keep: int) -> None:
        """Keep a bundle; see `Ledger.keep_bundle`."""
        parameters = {
            "digest": bundle.digest,
            "object": bundle.object_id,
            "challenged_at": bundle.challenged_at,
            "body": bundle.body,
        }

        def put(db: Session) -> None:
            db.execute(SQL["put_bundle"], parameters)
            db.execute(SQL["prune_bundles"], {"keep": keep})

        await self._write(put)

    async def bundle(self, digest: bytes) -> bytes | None:
        """Read a bundle; see `Ledger.bundle`."""
        found = await self._rows("bundle", digest=digest)
        return bytes(found[0]["body"]) if found else None

    async def restore(self, snapshot: Snapshot, *, height: int, now: datetime) -> None:
        """Add what the state says; see `Ledger.restore`."""

        def add(db: Session) -> None:
            for grant in snapshot.grants:
                db.execute(SQL["put_grant"], rows.grant_parameters(grant, to_ms(now)))
            for stored in snapshot.objects:
                rows.add_object(db, stored, height)
                db.execute(PROOFS["put_object"], {"object": stored.entry.object_id, "now": to_ms(now)})
            db.executemany(
                SQL["put_record"],
                [
                    {"record": record, "patient": patient, "object": object_id}
                    for record, patient, object_id in snapshot.records
                ],
            )

        await self._write(add)

    async def drop_orphans(self) -> None:
        """Drop what nobody needs; see `Ledger.drop_orphans`."""
        await self._write(redeliveries.drop_orphans)

    async def _rows(self, statement: str, **parameters: Any) -> list[Row]:
        return await self._read(lambda db: db.execute(SQL[statement], parameters).fetchall())

    async def _do(self, statement: str, **parameters: Any) -> None:
        await self._write(lambda db: db.execute(SQL[statement], parameters).rowcount)
