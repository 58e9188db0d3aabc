"""Blocked networks and attack signatures in a database of either kind: what we want, and what is due."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final

from caregrid.chain.port import BlockReason, Severity, SignatureFormat
from caregrid.errors import QueueFull
from ocw_sidecar.adapters.sql import threats_seen
from ocw_sidecar.adapters.sql.rows import from_ms, to_ms
from ocw_sidecar.background.items import MAX_OWN, Count, Entry, Kind, NewBlock, NewSignature, Status, Wish
from ocw_sidecar.background.port import ThreatTables
from ocw_sidecar.pipeline import sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from caregrid.chain.port import AttackSignature, FinalizedBlock, IpBlock
    from ocw_sidecar.adapters.sql.database import Database, Row, Session
    from ocw_sidecar.background.items import Settled

SQL: Final = sql.named_statements("threats")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Words:
    """The statements about one table."""

    want: str
    unwant: str
    forget_unsent: str
    count_own: str
    count: str
    due: str
    claim: str
    settle: str
    drop_gone: str


_OF: Final = {
    Kind.BLOCKS: _Words(
        want="want_block",
        unwant="unwant_block",
        forget_unsent="forget_unsent_block",
        count_own="count_own_blocks",
        count="count_blocks",
        due="due_blocks",
        claim="claim_block",
        settle="settle_block",
        drop_gone="drop_gone_block",
    ),
    Kind.SIGNATURES: _Words(
        want="want_signature",
        unwant="unwant_signature",
        forget_unsent="forget_unsent_signature",
        count_own="count_own_signatures",
        count="count_signatures",
        due="due_signatures",
        claim="claim_signature",
        settle="settle_signature",
        drop_gone="drop_gone_signature",
    ),
}


class SqlThreatTables(ThreatTables):
    """The tables; the database stays open when this is dropped."""

    def __init__(self, database: Database, organisation: bytes) -> None:
        self._write, self._read, self._ours = database.write, database.read, organisation

    async def block(self, wanted: Sequence[NewBlock], *, now: datetime) -> int:
        """Note networks; see `ThreatTables.block`."""
        rows = [
            {"net": str(each.net), "reason": each.reason.value, "expires_at": to_ms(each.expires_at)}
            for each in wanted
        ]
        return await self._write(lambda db: self._want(db, Kind.BLOCKS, rows, now))

    async def unblock(self, nets: Sequence[str], *, now: datetime) -> int:
        """Note networks; see `ThreatTables.unblock`."""
        return await self._write(
            lambda db: self._unwant(db, Kind.BLOCKS, [{"net": net} for net in nets], now)
        )

    async def register(self, wanted: Sequence[NewSignature], *, now: datetime) -> int:
        """Note signatures; see `ThreatTables.register`."""
        rows = [_signature_row(each) for each in wanted]
        return await self._write(lambda db: self._want(db, Kind.SIGNATURES, rows, now))

    async def retire(self, signature_ids: Sequence[bytes], *, now: datetime) -> int:
        """Note signatures; see `ThreatTables.retire`."""
        rows = [{"id": each} for each in signature_ids]
        return await self._write(lambda db: self._unwant(db, Kind.SIGNATURES, rows, now))

    async def claim(self, kind: Kind, limit: int, *, now: datetime, until: datetime) -> list[Entry]:
        """Lease entries; see `ThreatTables.claim`."""

        def take(db: Session) -> list[Entry]:
            due = {"now": to_ms(now), "organisation": self._ours, "limit": limit}
            found = []
            for row in db.execute(SQL[_OF[kind].due], due).fetchall():
                claim = {**self._key(row, kind), "attempts": row["attempts"], "status": row["status"]}
                times = {"now": to_ms(now), "until": to_ms(until)}
                if db.execute(SQL[_OF[kind].claim], {**claim, **times}).rowcount:
                    found.append(_entry(row, kind))
            return found

        return await self._write(take)

    async def note_sending(self, entries: Sequence[Entry]) -> None:
        """Note ends; see `ThreatTables.note_sending`."""
        rows = [
            {**self._place(each), "attempts": each.attempts, "sent_until": each.sent_until}
            for each in entries
        ]
        await self._write(lambda db: db.executemany(SQL["note_sending"], rows))

    async def settle(self, settled: Sequence[Settled], *, now: datetime) -> None:
        """Note outcomes; see `ThreatTables.settle`."""

        def note(db: Session) -> None:
            for each in settled:
                self._settle_one(db, each, now)

        await self._write(note)

    async def release(self, entries: Sequence[Entry], *, now: datetime) -> None:
        """Give leases back; see `ThreatTables.release`."""

        def note(db: Session) -> None:
            for entry in entries:
                back = {"status": "pending", "block": None, "reason": None, "next_attempt": to_ms(now)}
                keys = {**self._place(entry), "attempts": entry.attempts, "wish": entry.wish.value}
                db.execute(SQL[_OF[entry.kind].settle], {**back, **keys})

        await self._write(note)

    async def counts(self) -> list[Count]:
        """Count ours; see `ThreatTables.counts`."""

        def count(db: Session) -> list[Count]:
            return [
                Count(
                    kind=kind,
                    status=Status(row["status"]),
                    items=row["items"],
                    oldest=from_ms(row["oldest"]),
                )
                for kind, words in _OF.items()
                for row in db.execute(SQL[words.count], {"organisation": self._ours}).fetchall()
            ]

        return await self._read(count)

    async def cursor(self) -> int | None:
        """Return the last block; see `ThreatTables.cursor`."""
        return await self._read(threats_seen.cursor)

    async def take_in(
        self, blocks: Sequence[FinalizedBlock], signatures: Sequence[AttackSignature], *, now: datetime
    ) -> int:
        """Fold blocks; see `ThreatTables.take_in`."""
        return await self._write(lambda db: threats_seen.take_in(db, blocks, signatures, now))

    async def take_all(
        self, blocks: Sequence[IpBlock], signatures: Sequence[AttackSignature], *, height: int, now: datetime
    ) -> int:
        """Begin anew; see `ThreatTables.take_all`."""
        return await self._write(lambda db: threats_seen.take_all(db, blocks, signatures, height, now))

    async def expired(self, *, now: datetime, height: int | None) -> int:
        """Count networks; see `ThreatTables.expired`."""

        def count(db: Session) -> int:
            found = [db.execute(SQL["count_expired"], {"now": to_ms(now)}).fetchone()]
            if height is not None:
                found.append(db.execute(SQL["count_ended"], {"height": height, "now": to_ms(now)}).fetchone())
            return sum(int(row["items"]) for row in found if row is not None)

        return await self._read(count)

    async def remove_expired(self, *, now: datetime, height: int | None) -> int:
        """Remove networks; see `ThreatTables.remove_expired`."""

        def remove(db: Session) -> int:
            gone = db.execute(SQL["remove_expired"], {"now": to_ms(now)}).rowcount
            if height is not None:
                gone += db.execute(SQL["remove_ended"], {"height": height}).rowcount
            return gone

        return await self._write(remove)

    def _want(self, db: Session, kind: Kind, rows: Sequence[dict[str, Any]], now: datetime) -> int:
        common = {"organisation": self._ours, "now": to_ms(now)}
        changed = sum(db.execute(SQL[_OF[kind].want], {**row, **common}).rowcount for row in rows)
        counted = db.execute(SQL[_OF[kind].count_own], {"organisation": self._ours}).fetchone()
        if counted is not None and counted["items"] > MAX_OWN:
            raise QueueFull(f"an organisation keeps {MAX_OWN} of these at most; withdraw some first")
        return changed

    def _unwant(self, db: Session, kind: Kind, rows: Sequence[dict[str, Any]], now: datetime) -> int:
        changed, common = 0, {"organisation": self._ours}
        for row in rows:
            unsent = db.execute(SQL[_OF[kind].forget_unsent], {**row, **common}).rowcount
            wanted = {**row, **common, "now": to_ms(now)}
            changed += unsent or db.execute(SQL[_OF[kind].unwant], wanted).rowcount
        return changed

    def _settle_one(self, db: Session, settled: Settled, now: datetime) -> None:
        entry, words = settled.entry, _OF[settled.entry.kind]
        keys = {**self._place(entry), "attempts": entry.attempts}
        if entry.wish is Wish.GO and settled.status is Status.CONFIRMED:
            db.execute(SQL[words.drop_gone], keys)
            return
        values = {
            "status": settled.status.value,
            "block": settled.block,
            "reason": settled.reason,
            "next_attempt": to_ms(settled.next_attempt or now),
            "wish": entry.wish.value,
        }
        db.execute(SQL[words.settle], {**keys, **values})

    def _place(self, entry: Entry) -> dict[str, Any]:
        column = "net" if entry.kind is Kind.BLOCKS else "id"
        return {column: entry.key, "organisation": self._ours}

    def _key(self, row: Row, kind: Kind) -> dict[str, Any]:
        column = "net" if kind is Kind.BLOCKS else "id"
        return {column: row[column], "organisation": self._ours}


def _entry(row: Row, kind: Kind) -> Entry:
    wanted: NewBlock | NewSignature
    if kind is Kind.BLOCKS:
        wanted = NewBlock(
            net=ip_network(row["net"]),
            reason=BlockReason(row["reason"]),
            expires_at=from_ms(row["expires_at"]),
        )
    else:
        wanted = NewSignature(
            signature_id=bytes(row["id"]),
            format=SignatureFormat(row["format"]),
            severity=Severity(row["severity"]),
            pattern=bytes(row["pattern"]),
        )
    # Without an end the attempt that has the lease now had sent nothing; a signature has none.
    sent = row["status"] == Status.SUBMITTED
    until = row["expires_block"] if kind is Kind.BLOCKS else int(sent) or None
    return Entry(
        wanted=wanted,
        wish=Wish(row["wish"]),
        attempts=row["attempts"] + 1,
        sent_until=until if sent else None,
    )


def _signature_row(wanted: NewSignature) -> dict[str, Any]:
    return {
        "id": wanted.signature_id,
        "format": wanted.format.value,
        "severity": wanted.severity.value,
        "pattern": wanted.pattern,
    }
