"""The plans of compaction in a database of either kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ocw_sidecar.adapters.sql import compaction_rows as rows
from ocw_sidecar.adapters.sql.compaction_end import finish
from ocw_sidecar.adapters.sql.compaction_keys import SQL
from ocw_sidecar.adapters.sql.rows import to_ms
from ocw_sidecar.adapters.sql.storage import SQL as STORAGE
from ocw_sidecar.pipeline.compaction import CompactionBook

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from ocw_sidecar.adapters.sql.database import Database, Row, Session
    from ocw_sidecar.pipeline.compaction import Compaction, ErasedFrom, ResealRequest, Transfer


class SqlCompactionBook(CompactionBook):
    """The tables; the database stays open when this is dropped."""

    def __init__(self, database: Database) -> None:
        self._write, self._read = database.write, database.read

    async def note_erased(self, object_ids: Sequence[bytes], *, now: datetime) -> None:
        """Note objects; see `CompactionBook.note_erased`."""
        noted = [{"object": object_id, "now": to_ms(now)} for object_id in object_ids]
        await self._write(lambda db: db.executemany(SQL["add_erased"], noted))

    async def due_objects(self, limit: int, *, now: datetime) -> list[ErasedFrom]:
        """List objects; see `CompactionBook.due_objects`."""
        return [rows.erased_from(row) for row in await self._rows("due_objects", now=to_ms(now), limit=limit)]

    async def postpone_object(self, object_id: bytes, *, due: datetime, reason: str, failed: bool) -> None:
        """Put one off; see `CompactionBook.postpone_object`."""
        await self._do("postpone_object", object=object_id, due=to_ms(due), reason=reason, failed=int(failed))

    async def attempts_at(self, object_id: bytes) -> int:
        """Count; see `CompactionBook.attempts_at`."""
        found = await self._rows("attempts_at", object=object_id)
        return int(found[0]["attempts"]) if found else 0

    async def forget_object(self, object_id: bytes) -> None:
        """Drop one; see `CompactionBook.forget_object`."""
        await self._do("end_erased", object=object_id)

    async def objects_after(self, object_id: bytes, limit: int) -> list[bytes]:
        """List the ledger's objects; see `CompactionBook.objects_after`."""
        found = await self._rows("objects_after", after=object_id, limit=limit)
        return [bytes(row["object"]) for row in found]

    async def has_failed_records(self, object_id: bytes) -> bool:
        """Look at the queue; see `CompactionBook.has_failed_records`."""
        return bool(await self._rows("failed_records", object=object_id))

    async def count_objects(self) -> int:
        """Count; see `CompactionBook.count_objects`."""
        [row] = await self._rows("count_objects")
        return int(row["items"])

    async def plan(self, compaction_id: bytes, transfers: Sequence[Transfer], *, now: datetime) -> bool:
        """Write a plan; see `CompactionBook.plan`."""
        parameters = rows.compaction_parameters(compaction_id, transfers)
        planned = [rows.transfer_parameters(compaction_id, each) for each in transfers]

        def write(db: Session) -> bool:
            db.execute(SQL["insert_compaction"], {**parameters, "now": to_ms(now)})
            taken = sum(db.execute(SQL["insert_transfer"], each).rowcount for each in planned)
            if taken < len(planned):
                _drop(db, compaction_id)
            return taken == len(planned)

        return await self._write(write)

    async def open_compactions(self) -> list[Compaction]:
        """List all; see `CompactionBook.open_compactions`."""
        return [rows.compaction(row) for row in await self._rows("open_compactions")]

    async def due_compactions(self, limit: int, *, now: datetime) -> list[Compaction]:
        """List what is due; see `CompactionBook.due_compactions`."""
        found = await self._rows("due_compactions", now=to_ms(now), limit=limit)
        return [rows.compaction(row) for row in found]

    async def transfers(self, compaction_id: bytes) -> list[Transfer]:
        """List a plan's records; see `CompactionBook.transfers`."""
        return [rows.transfer(row) for row in await self._rows("transfers", id=compaction_id)]

    async def finish_assembly(
        self,
        compaction_id: bytes,
        *,
        object_id: bytes,
        manifest_root: bytes,
        resealed: Mapping[bytes, bytes],
        now: datetime,
    ) -> None:
        """Note a file; see `CompactionBook.finish_assembly`."""
        parameters = {"id": compaction_id, "object": object_id, "manifest_root": manifest_root}
        digests = [
            {"id": compaction_id, "record": record_id, "digest": digest}
            for record_id, digest in resealed.items()
        ]

        def note(db: Session) -> None:
            if db.execute(SQL["assemble"], {**parameters, "now": to_ms(now)}).rowcount:
                db.executemany(SQL["note_digest"], digests)

        await self._write(note)

    async def finish_storing(self, compaction_id: bytes, *, now: datetime) -> None:
        """Note an upload; see `CompactionBook.finish_storing`."""
        await self._do("note_stored", id=compaction_id, now=to_ms(now))

    async def assemble_again(self, compaction_id: bytes, *, now: datetime) -> None:
        """Go back; see `CompactionBook.assemble_again`."""

        def go_back(db: Session) -> None:
            row = db.execute(SQL["compaction"], {"id": compaction_id}).fetchone()
            if (
                row is not None
                and db.execute(SQL["plan_again"], {"id": compaction_id, "now": to_ms(now)}).rowcount
            ):
                removed = {"object": bytes(row["object"]), "height": 0, "now": to_ms(now)}
                db.execute(STORAGE["put_removal"], removed)

        await self._write(go_back)

    async def postpone(self, compaction_id: bytes, *, due: datetime, reason: str) -> None:
        """Put one off; see `CompactionBook.postpone`."""
        await self._do("postpone_compaction", id=compaction_id, due=to_ms(due), reason=reason)

    async def drop(self, compaction_id: bytes) -> None:
        """Forget a plan; see `CompactionBook.drop`."""

        def drop(db: Session) -> None:
            row = db.execute(SQL["compaction"], {"id": compaction_id}).fetchone()
            if row is not None and row["object"] is None:
                _drop(db, compaction_id)

        await self._write(drop)

    async def finish(self, compaction_id: bytes, *, moved: Collection[bytes], now: datetime) -> None:
        """Note the end; see `CompactionBook.finish`."""

        def end(db: Session) -> None:
            row = db.execute(SQL["compaction"], {"id": compaction_id}).fetchone()
            if row is not None:
                found = db.execute(SQL["transfers"], {"id": compaction_id}).fetchall()
                finish(db, rows.compaction(row), [rows.transfer(each) for each in found], moved, to_ms(now))
                _drop(db, compaction_id)

        await self._write(end)

    async def ask_reseal(self, record_id: bytes, now: datetime) -> None:
        """Note a wish; see `CompactionBook.ask_reseal`."""
        await self._do("put_reseal", record=record_id, now=to_ms(now))

    async def reseal_request(self, record_id: bytes) -> ResealRequest | None:
        """Look one up; see `CompactionBook.reseal_request`."""
        found = await self._rows("reseal", record=record_id)
        return rows.reseal_request(found[0]) if found else None

    async def due_reseals(self, limit: int, *, now: datetime) -> list[ResealRequest]:
        """List wishes; see `CompactionBook.due_reseals`."""
        return [
            rows.reseal_request(row) for row in await self._rows("due_reseals", now=to_ms(now), limit=limit)
        ]

    async def postpone_reseal(self, record_id: bytes, *, due: datetime, reason: str) -> None:
        """Put one off; see `CompactionBook.postpone_reseal`."""
        await self._do("postpone_reseal", record=record_id, due=to_ms(due), reason=reason)

    async def drop_reseal(self, record_id: bytes) -> None:
        """Forget one; see `CompactionBook.drop_reseal`."""
        await self._do("drop_reseal", record=record_id)

    async def purge_reseals(self, *, before: datetime) -> None:
        """Forget old ones; see `CompactionBook.purge_reseals`."""
        await self._do("purge_reseals", before=to_ms(before))

    async def _rows(self, statement: str, **parameters: Any) -> list[Row]:
        return await self._read(lambda db: db.execute(SQL[statement], parameters).fetchall())

    async def _do(self, statement: str, **parameters: Any) -> None:
        await self._write(lambda db: db.execute(SQL[statement], parameters).rowcount)


def _drop(db: Session, compaction_id: bytes) -> None:
    db.execute(SQL["drop_transfers"], {"id": compaction_id})
    db.execute(SQL["drop_compaction"], {"id": compaction_id})
