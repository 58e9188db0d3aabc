"""Troubles and removals of objects in a database of either kind, and the fold that finds removals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ocw_sidecar.adapters.sql.rows import to_ms
from ocw_sidecar.ledger.storage import Removal, StorageBook, StorageTrouble
from ocw_sidecar.pipeline import sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from caregrid.chain.port import FinalizedBlock
    from ocw_sidecar.adapters.sql.database import Database, Row, Session

SQL: Final = sql.named_statements("storage")


def fold(db: Session, block: FinalizedBlock, organisation: bytes, now: datetime) -> None:
    """Take in which of our objects a block gave up, and which it has again after all."""
    for event in block.events:
        if event.pallet != "Emr" or event.fields.get("custodian") != organisation:
            continue
        if event.name == "ObjectRemoved":
            removed = {"object": event.fields["object"], "height": block.ref.number, "now": to_ms(now)}
            db.execute(SQL["put_removal"], removed)
            db.execute(SQL["end_trouble"], {"object": event.fields["object"]})
        elif event.name == "ObjectStored":
            db.execute(SQL["end_removal"], {"object": event.fields["object"]})


def forget(db: Session) -> None:
    """Forget troubles, which looks find again; removals stay, since their events are in the past."""
    db.execute(SQL["forget_troubles"])


class SqlStorageBook(StorageBook):
    """The tables; the database stays open when this is dropped."""

    def __init__(self, database: Database) -> None:
        self._write, self._read = database.write, database.read

    async def troubles(self, object_ids: Sequence[bytes]) -> Mapping[bytes, StorageTrouble]:
        """Look objects up; see `StorageBook.troubles`."""

        def collect(db: Session) -> list[Row | None]:
            return [db.execute(SQL["trouble"], {"object": each}).fetchone() for each in object_ids]

        found = [_trouble(row) for row in await self._read(collect) if row is not None]
        return {each.object_id: each for each in found}

    async def longest_troubled(self, limit: int) -> list[StorageTrouble]:
        """List objects; see `StorageBook.longest_troubled`."""
        return [_trouble(row) for row in await self._rows("longest_troubled", limit=limit)]

    async def note_looks(self, *, troubled: Sequence[bytes], sound: Sequence[bytes], height: int) -> None:
        """Note looks; see `StorageBook.note_looks`."""

        def note(db: Session) -> None:
            db.executemany(SQL["put_trouble"], [{"object": each, "height": height} for each in troubled])
            db.executemany(SQL["end_trouble"], [{"object": each} for each in sound])

        await self._write(note)

    async def note_repair(self, object_id: bytes, height: int) -> None:
        """Note a repair; see `StorageBook.note_repair`."""
        await self._do("note_repair", object=object_id, height=height)

    async def due_removals(self, limit: int, *, now: datetime) -> list[Removal]:
        """List removals; see `StorageBook.due_removals`."""
        return [_removal(row) for row in await self._rows("due_removals", limit=limit, now=to_ms(now))]

    async def is_under_way(self, object_id: bytes) -> bool:
        """Look at the queue's packs; see `StorageBook.is_under_way`."""
        found = [
            await self._rows(name, object=object_id)
            for name in ("open_pack", "failed_pack", "open_compaction")
        ]
        return any(found)

    async def finish_removal(self, object_id: bytes) -> None:
        """Drop a removal; see `StorageBook.finish_removal`."""
        await self._do("end_removal", object=object_id)

    async def postpone_removal(self, object_id: bytes, *, due: datetime, reason: str) -> None:
        """Put one off; see `StorageBook.postpone_removal`."""
        await self._do("postpone_removal", object=object_id, due=to_ms(due), reason=reason)

    async def counts(self) -> tuple[int, int]:
        """Count; see `StorageBook.counts`."""
        [troubles], [removals] = await self._rows("count_troubles"), await self._rows("count_removals")
        return int(troubles["items"]), int(removals["items"])

    async def _rows(self, statement: str, **parameters: Any) -> list[Row]:
        return await self._read(lambda db: db.execute(SQL[statement], parameters).fetchall())

    async def _do(self, statement: str, **parameters: Any) -> None:
        await self._write(lambda db: db.execute(SQL[statement], parameters).rowcount)


def _trouble(row: Row) -> StorageTrouble:
    return StorageTrouble(object_id=bytes(row["object"]), since=row["since"], repaired_at=row["repaired_at"])


def _removal(row: Row) -> Removal:
    return Removal(object_id=bytes(row["object"]), removed_at=row["removed_at"], attempts=row["attempts"])
