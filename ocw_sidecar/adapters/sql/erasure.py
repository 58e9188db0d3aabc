"""Erasures and their receipts in a database of either kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ocw_sidecar.adapters.sql import erasure_fold as folding
from ocw_sidecar.adapters.sql.erasure_fold import SQL
from ocw_sidecar.adapters.sql.rows import from_ms, to_ms
from ocw_sidecar.adapters.sql.submissions import forget_payload
from ocw_sidecar.adapters.sql.upkeep import SQL as PURGE
from ocw_sidecar.pipeline.erasure import Erasure, ErasureBook, ErasureState, Receipt
from ocw_sidecar.pipeline.states import OPEN_RECORD_STATES, PackState, RecordState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from caregrid.erasures import ReasonCode
    from ocw_sidecar.adapters.sql.database import Database, Row, Session
    from ocw_sidecar.pipeline.erasure import Cause, Decision


class SqlErasureBook(ErasureBook):
    """The tables; the database stays open when this is dropped."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._write, self._read = database.write, database.read

    async def decide(
        self, record_id: bytes, *, cause: Cause, code: ReasonCode | None = None, now: datetime
    ) -> Decision:
        """Decide, and destroy; see `ErasureBook.decide`."""
        return await self._write(lambda db: folding.decide(db, record_id, cause, code, to_ms(now)))

    async def erasure(self, record_id: bytes) -> Erasure | None:
        """Look one up; see `ErasureBook.erasure`."""
        found = await self._rows("erasure", record=record_id)
        return _erasure(found[0]) if found else None

    async def undone(self, record_ids: Sequence[bytes]) -> list[bytes]:
        """Sift ids; see `ErasureBook.undone`."""

        def sift(db: Session) -> list[bytes]:
            return [each for each in record_ids if _is_undone(db, {"record": each})]

        return await self._read(sift)

    async def is_held(self, record_id: bytes) -> bool:
        """Look for a key; see `ErasureBook.is_held`."""
        return bool(await self._rows("held", record=record_id))

    async def receipts(self, record_id: bytes) -> list[Receipt]:
        """List a record's receipts; see `ErasureBook.receipts`."""
        return [_receipt(row) for row in await self._rows("receipts", record=record_id)]

    async def due(self, limit: int, *, now: datetime) -> list[Erasure]:
        """List what is due; see `ErasureBook.due`."""
        return [_erasure(row) for row in await self._rows("due_erasures", limit=limit, now=to_ms(now))]

    async def is_open(self, record_id: bytes) -> bool:
        """Look at the queue; see `ErasureBook.is_open`."""
        return await self._read(lambda db: _is_open(db, record_id))

    async def note_place(self, record_id: bytes, object_id: bytes) -> None:
        """Note an object; see `ErasureBook.note_place`."""
        await self._do("note_place", record=record_id, object=object_id)

    async def note_erased(
        self,
        record_id: bytes,
        *,
        block: int,
        object_id: bytes | None = None,
        call: bytes | None = None,
        now: datetime,
    ) -> None:
        """Note what the chain says; see `ErasureBook.note_erased`."""
        await self._write(
            lambda db: folding.note_erased(
                db, record_id, block=block, object_id=object_id, call=call, now=to_ms(now)
            )
        )

    async def forget_payload(self, record_id: bytes) -> list[str]:
        """Forget sealed bytes; see `ErasureBook.forget_payload`."""

        def forget(db: Session) -> list[str]:
            row = db.execute(SQL["queued_record"], {"record": record_id}).fetchone()
            freed = forget_payload(db, record_id)
            if row is not None and row["state"] == RecordState.FAILED:
                # Replaying it would ask the chain for what it refuses for ever.
                db.execute(SQL["forget_record"], {"record": record_id})
                db.execute(PURGE["purge_pack"], {"pack": row["pack"]})
            return freed

        return await self._write(forget)

    async def note_gone(self, record_id: bytes, *, now: datetime) -> None:
        """Note the end; see `ErasureBook.note_gone`."""

        def note(db: Session) -> None:
            if db.execute(SQL["note_gone"], {"record": record_id}).rowcount == 1:
                folding.write(db, record_id, "bytes_gone", to_ms(now), {})

        await self._write(note)

    async def postpone(self, record_id: bytes, *, due: datetime, reason: str) -> None:
        """Put one off; see `ErasureBook.postpone`."""
        await self._do("postpone_erasure", record=record_id, due=to_ms(due), reason=reason)

    async def scrub(self) -> bool:
        """Have deleted bytes leave the files; see `ErasureBook.scrub`."""
        return await self._database.scrub()

    async def _rows(self, statement: str, **parameters: Any) -> list[Row]:
        return await self._read(lambda db: db.execute(SQL[statement], parameters).fetchall())

    async def _do(self, statement: str, **parameters: Any) -> None:
        await self._write(lambda db: db.execute(SQL[statement], parameters).rowcount)


def _is_undone(db: Session, record: Mapping[str, bytes]) -> bool:
    known = db.execute(SQL["erasure"], record).fetchone() is not None
    return not known or db.execute(SQL["held"], record).fetchone() is not None


def _is_open(db: Session, record_id: bytes) -> bool:
    row = db.execute(SQL["queued_record"], {"record": record_id}).fetchone()
    if row is None:
        return False
    # A pack that is not closed needs the bytes of all its records, should its file be lost.
    return row["state"] in OPEN_RECORD_STATES or row["pack_state"] not in {None, PackState.CLOSED}


def _erasure(row: Row) -> Erasure:
    return Erasure(
        record_id=bytes(row["record"]),
        state=ErasureState(row["state"]),
        decided_at=from_ms(row["decided_at"]),
        object_id=None if row["object"] is None else bytes(row["object"]),
        attempts=row["attempts"],
        reason=row["reason"],
    )


def _receipt(row: Row) -> Receipt:
    return Receipt(number=row["number"], body=row["body"], digest=bytes(row["digest"]))
