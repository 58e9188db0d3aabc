"""The clock's cursor, and what is folded from blocks in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from caregrid.chain.port import BlockRef
from ocw_sidecar.adapters.sql.rows import from_ms, to_ms
from ocw_sidecar.clock.port import BlockLog, Position
from ocw_sidecar.pipeline import sql

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from caregrid.chain.port import FinalizedBlock
    from ocw_sidecar.adapters.sql.database import Database, Session

    #: Takes a block's events in: session, block, our organisation, now.
    Fold = Callable[[Session, FinalizedBlock, bytes, datetime], None]
    #: Empties what a fold has filled.
    Forget = Callable[[Session], None]

SQL: Final = sql.named_statements("clock")


class SqlBlockLog(BlockLog):
    """The cursor in a database of either kind."""

    def __init__(
        self,
        database: Database,
        *,
        organisation: bytes,
        now: Callable[[], datetime],
        folds: Sequence[Fold],
        forgets: Sequence[Forget] = (),
    ) -> None:
        self._write, self._read = database.write, database.read
        self._organisation, self._now = organisation, now
        self._folds, self._forgets = tuple(folds), tuple(forgets)

    async def position(self) -> Position | None:
        """Read the cursor; see `BlockLog.position`."""
        row = await self._read(lambda db: db.execute(SQL["position"]).fetchone())
        if row is None:
            return None
        block = BlockRef(number=row["height"], hash=bytes(row["hash"]))
        return Position(genesis=bytes(row["genesis"]), block=block, moved_at=from_ms(row["moved_at"]))

    async def begin(self, block: BlockRef, genesis: bytes) -> bool:
        """Set the cursor for the first time; see `BlockLog.begin`."""
        parameters = {
            "genesis": genesis,
            "height": block.number,
            "hash": block.hash,
            "now": to_ms(self._now()),
        }
        return await self._write(lambda db: db.execute(SQL["begin_cursor"], parameters).rowcount == 1)

    async def advance(self, block: FinalizedBlock) -> bool:
        """Take a block in; see `BlockLog.advance`."""
        now = self._now()
        return await self._write(lambda db: self._advance(db, block, now))

    async def forget(self) -> None:
        """Start anew; see `BlockLog.forget`."""

        def forget(db: Session) -> None:
            db.execute(SQL["forget_cursor"])
            db.execute(SQL["forget_job_heights"])
            for each in self._forgets:
                each(db)

        await self._write(forget)

    async def done_heights(self) -> Mapping[str, int]:
        """Read what jobs were done for; see `BlockLog.done_heights`."""
        rows = await self._read(lambda db: db.execute(SQL["job_heights"]).fetchall())
        return {row["job"]: row["height"] for row in rows}

    async def note_done(self, job: str, height: int) -> None:
        """Note what a job was done for; see `BlockLog.note_done`."""
        parameters = {"job": job, "height": height}
        await self._write(lambda db: db.execute(SQL["note_job_height"], parameters).rowcount)

    def _advance(self, db: Session, block: FinalizedBlock, now: datetime) -> bool:
        parameters = {
            "height": block.ref.number,
            "previous": block.ref.number - 1,
            "hash": block.ref.hash,
            "now": to_ms(now),
        }
        if db.execute(SQL["move_cursor"], parameters).rowcount != 1:
            return False
        for fold in self._folds:
            fold(db, block, self._organisation, now)
        return True
