"""Upkeep of the queue in a database of either kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ocw_sidecar.adapters.sql.rows import to_ms
from ocw_sidecar.pipeline import sql
from ocw_sidecar.pipeline.states import Stage, SubmissionState
from ocw_sidecar.pipeline.upkeep import Purged, Upkeep

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ocw_sidecar.adapters.sql.database import Database, Row, Session

SQL: Final = sql.named_statements("purge")

#: A UUIDv7 begins with so many bytes of milliseconds.
_TIME_LEN: Final = 6
_ID_LEN: Final = 16


class SqlUpkeep(Upkeep):
    """The queue's tables, from the side of who cleans them."""

    def __init__(self, database: Database) -> None:
        self._write, self._read = database.write, database.read

    async def purge(self, *, before: datetime, after: bytes, limit: int) -> Purged:
        """Forget what is long final; see `Upkeep.purge`."""
        first_kept = to_ms(before).to_bytes(_TIME_LEN, "big").ljust(_ID_LEN, b"\x00")
        parameters = {"after": after, "before": first_kept, "limit": limit}

        def purge(db: Session) -> Purged:
            found = db.execute(SQL["next_submissions"], parameters).fetchall()
            purged = sum(_purge(db, row) for row in found)
            last = bytes(found[-1]["id"]) if found else after
            return Purged(looked=len(found), purged=purged, after=last)

        return await self._write(purge)

    async def record_ids(self, *, after: bytes, limit: int) -> Sequence[bytes]:
        """List records; see `Upkeep.record_ids`."""
        parameters = {"after": after, "limit": limit}
        found = await self._read(lambda db: db.execute(SQL["own_record_ids"], parameters).fetchall())
        return [bytes(row["id"]) for row in found]

    async def pull_jobs(self, *, now: datetime, horizon: datetime) -> int:
        """Make jobs due; see `Upkeep.pull_jobs`."""
        times = {"now": to_ms(now), "horizon": to_ms(horizon)}

        def pull(db: Session) -> int:
            return sum(db.execute(SQL["pull_jobs"], {**times, "stage": stage}).rowcount for stage in Stage)

        return await self._write(pull)


def _purge(db: Session, row: Row) -> int:
    submission = {"submission": row["id"]}
    if row["state"] != SubmissionState.VALIDATED:
        return 0
    if db.execute(SQL["open_record_of"], submission).fetchone() is not None:
        return 0
    packs = {row["pack"] for row in db.execute(SQL["purge_records_of"], submission).fetchall()}
    db.execute(SQL["purge_submission"], submission)
    for pack in sorted(packs - {None}):
        db.execute(SQL["purge_pack"], {"pack": pack})
    return 1
