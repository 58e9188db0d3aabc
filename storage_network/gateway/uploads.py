"""What the gateway knows of uploads that come in several requests; their bytes lie in files beside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from caregrid.errors import DiskLow, RateLimited
from storage_network.gateway.database import NO_SPACE

if TYPE_CHECKING:
    from storage_network.gateway.database import Database


@dataclass(frozen=True, kw_only=True, slots=True)
class UploadLimits:
    """How much may lie unfinished on the gateway's disk."""

    per_account: int = 16  #: uploads
    bytes_per_account: int = 64 * 1024**3  #: counted as announced
    bytes_in_all: int = 256 * 1024**3
    age_s: float = 24 * 3600.0  #: since the last byte; then it is swept


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """One upload: how much of it is durable, and what became of it."""

    id: bytes
    account: bytes
    total: int
    held: int
    fid: bytes | None  #: there when it has been stored


#: Finished uploads remembered an account, so that a lost answer can be given again.
MAX_FINISHED: int = 64


class UploadList:
    """Uploads by id; every method blocks on the disk, and any thread may call it."""

    def __init__(self, database: Database, limits: UploadLimits) -> None:
        self._transaction, self._limits = database.transaction, limits

    def find(self, upload_id: bytes) -> Upload | None:
        """Return an upload, or None."""
        with self._transaction() as db:
            row = db.execute(
                "SELECT id, account, total, held, fid FROM uploads WHERE id = ?", (upload_id,)
            ).fetchone()
        return (
            None if row is None else Upload(id=row[0], account=row[1], total=row[2], held=row[3], fid=row[4])
        )

    def begin(self, upload: Upload, now: float) -> None:
        """Note a new upload, in place of one with the same id.

        Raises:
            RateLimited: the account has too much unfinished.
            DiskLow: all accounts together have.
        """
        with self._transaction() as db:
            db.execute("DELETE FROM uploads WHERE id = ?", (upload.id,))
            count, size = db.execute(
                "SELECT COUNT(*), COALESCE(SUM(total), 0) FROM uploads WHERE account = ? AND fid IS NULL",
                (upload.account,),
            ).fetchone()
            [everything] = db.execute(
                "SELECT COALESCE(SUM(total), 0) FROM uploads WHERE fid IS NULL"
            ).fetchone()
            self._require_room(count, size + upload.total, everything + upload.total)
            db.execute(
                "INSERT INTO uploads VALUES (?, ?, ?, 0, ?, NULL)",
                (upload.id, upload.account, upload.total, now),
            )

    def advance(self, upload_id: bytes, held: int, now: float) -> None:
        """Note that bytes have become durable."""
        with self._transaction() as db:
            db.execute("UPDATE uploads SET held = ?, touched = ? WHERE id = ?", (held, now, upload_id))

    def finish(self, upload: Upload, fid: bytes, now: float) -> None:
        """Note what an upload became, and forget the account's oldest finished ones."""
        with self._transaction() as db:
            db.execute(
                "UPDATE uploads SET fid = ?, held = total, touched = ? WHERE id = ?", (fid, now, upload.id)
            )
            db.execute(
                "DELETE FROM uploads WHERE id IN (SELECT id FROM uploads WHERE account = ? "
                "AND fid IS NOT NULL ORDER BY touched DESC LIMIT -1 OFFSET ?)",
                (upload.account, MAX_FINISHED),
            )

    def forget(self, upload_id: bytes) -> None:
        """Forget an upload."""
        with self._transaction() as db:
            db.execute("DELETE FROM uploads WHERE id = ?", (upload_id,))

    def sweep(self, now: float) -> list[bytes]:
        """Forget what nobody has touched for too long; return its ids."""
        with self._transaction() as db:
            rows = db.execute(
                "DELETE FROM uploads WHERE touched < ? RETURNING id", (now - self._limits.age_s,)
            ).fetchall()
        return [upload_id for (upload_id,) in rows]

    def unfinished(self) -> tuple[list[bytes], int]:
        """Return the ids of the unfinished uploads, and their announced bytes."""
        with self._transaction() as db:
            rows = db.execute("SELECT id, total FROM uploads WHERE fid IS NULL").fetchall()
        return [upload_id for upload_id, _ in rows], sum(total for _, total in rows)

    def _require_room(self, others: int, of_account: int, of_all: int) -> None:
        if others >= self._limits.per_account or of_account > self._limits.bytes_per_account:
            raise RateLimited(
                "too much of this account is uploaded in part; finish some of it first", retry_after_s=60
            )
        if of_all > self._limits.bytes_in_all:
            raise DiskLow(NO_SPACE)
