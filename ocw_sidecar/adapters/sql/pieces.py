"""Pieces of large payloads in a database of either kind."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ocw_sidecar.adapters.sql.rows import to_ms
from ocw_sidecar.pipeline import sql
from ocw_sidecar.pipeline.shared_spool import Pieces
from ocw_sidecar.ports import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from ocw_sidecar.adapters.sql.database import Database, Session

SQL: Final = sql.named_statements("pieces")

#: Between a payload's last piece and the row that names it lies the wrapping of a key.
STRAY_AFTER: Final = timedelta(days=1)

#: Payloads that one sweep forgets, so that it stays short.
SWEEP_LIMIT: Final = 100


class SqlPieces(Pieces):
    """Pieces in rows; each method is one transaction, and called from threads other than the event loop's."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = utc_now) -> None:
        self._database, self._now = database, now

    def append(self, name: str, ordinal: int, body: bytes) -> None:
        """Write a piece; see `Pieces.append`."""
        facts = {"name": name, "ordinal": ordinal, "body": body, "now": to_ms(self._now())}
        self._database.begin_write(lambda db: db.execute(SQL["insert_piece"], facts).rowcount).result()

    def complete(self, name: str) -> None:
        """Say that all is written; see `Pieces.complete`."""
        facts = {"name": name, "now": to_ms(self._now())}
        self._database.begin_write(lambda db: db.execute(SQL["complete_pieces"], facts).rowcount).result()

    def fetch(self, name: str, ordinal: int) -> bytes | None:
        """Return a piece; see `Pieces.fetch`."""
        facts = {"name": name, "ordinal": ordinal}
        row = self._database.begin_read(lambda db: db.execute(SQL["piece"], facts).fetchone()).result()
        return None if row is None else bytes(row["body"])

    def remove(self, names: Iterable[str]) -> None:
        """Forget payloads; see `Pieces.remove`."""
        wanted = [{"name": name} for name in names]
        if wanted:
            self._database.begin_write(lambda db: db.executemany(SQL["delete_pieces"], wanted)).result()

    def sweep(self) -> int:
        """Forget what nobody finished; see `Pieces.sweep`."""
        before = to_ms(self._now() - STRAY_AFTER)
        return self._database.begin_write(lambda db: _sweep(db, before)).result()


def _sweep(db: Session, before: int) -> int:
    strays = db.execute(SQL["stray_pieces"], {"before": before, "limit": SWEEP_LIMIT}).fetchall()
    db.executemany(SQL["delete_pieces"], [{"name": row["name"]} for row in strays])
    return len(strays)
