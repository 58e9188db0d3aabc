"""The wrapped keys in a database of either kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ocw_sidecar.pipeline import sql
from ocw_sidecar.pipeline.fingerprints import KEY_ID
from ocw_sidecar.pipeline.rotation import Shelf, WrappedKeys, WrappedRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocw_sidecar.adapters.sql.database import Database, Session
    from ocw_sidecar.pipeline.rotation import Swap

SQL: Final = sql.named_statements("rotation")

_COUNT: Final = {
    Shelf.RESEALED: SQL["count_compaction_records"],
    Shelf.RECORDS: SQL["count_keys"],
    Shelf.CHANNELS: SQL["count_channels"],
    Shelf.FINGERPRINTS: SQL["count_fingerprint_keys"],
}
_PAGE: Final = {
    Shelf.RESEALED: SQL["page_compaction_records"],
    Shelf.RECORDS: SQL["page_keys"],
    Shelf.CHANNELS: SQL["page_channels"],
}
_SWAP: Final = {
    Shelf.RESEALED: SQL["swap_compaction_records"],
    Shelf.RECORDS: SQL["swap_keys"],
    Shelf.CHANNELS: SQL["swap_channels"],
}


class SqlWrappedKeys(WrappedKeys):
    """Every table that holds what the key store wrapped; the database stays open when this is dropped."""

    def __init__(self, database: Database) -> None:
        self._write, self._read = database.write, database.read

    async def count(self, shelf: Shelf) -> int:
        """Count; see `WrappedKeys.count`."""
        found = await self._read(lambda db: db.execute(_COUNT[shelf]).fetchall())
        return int(found[0]["found"])

    async def page(self, shelf: Shelf, *, after: bytes, limit: int) -> Sequence[WrappedRow]:
        """Read a page; see `WrappedKeys.page`."""
        if shelf is Shelf.FINGERPRINTS:
            return [] if after else await self._read(_fingerprint_keys)
        parameters = {"after": after, "limit": limit}
        found = await self._read(lambda db: db.execute(_PAGE[shelf], parameters).fetchall())
        return [WrappedRow(bytes(row["id"]), bytes(row["wrapped"])) for row in found]

    async def swap(self, shelf: Shelf, swaps: Sequence[Swap]) -> int:
        """Change rows that are as they were; see `WrappedKeys.swap`."""
        return await self._write(lambda db: sum(_swap(db, shelf, each) for each in swaps))


def _fingerprint_keys(db: Session) -> list[WrappedRow]:
    found = db.execute(SQL["page_fingerprint_keys"]).fetchall()
    return [WrappedRow(KEY_ID, bytes(row["wrapped"])) for row in found]


def _swap(db: Session, shelf: Shelf, swap: Swap) -> int:
    change = {"old": swap.row.wrapped, "new": swap.wrapped}
    if shelf is Shelf.FINGERPRINTS:
        return db.execute(SQL["swap_fingerprint_keys"], change).rowcount
    return db.execute(_SWAP[shelf], {**change, "id": swap.row.id}).rowcount
