"""Connections to the queue's file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from caregrid.database_disk import database_errors_named

if TYPE_CHECKING:
    from pathlib import Path

#: Another process on the file (the CLI replaying, a backup) holds its lock for far less.
BUSY_TIMEOUT_S: Final = 10.0

#: The log is cut back to this after a checkpoint, so a burst does not keep the disk.
WAL_SIZE_LIMIT_BYTES: Final = 64 << 20


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a connection that commits only what it is told to, and then durably."""
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    # What is deleted is overwritten: a key that was destroyed must not be found in a free page.
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_SIZE_LIMIT_BYTES}")
    connection.execute(f"PRAGMA query_only = {int(read_only)}")
    return connection


def empty_log(path: Path) -> bool:
    """Write the log into the file and cut it to nothing; False when somebody was still reading from it.

    The log has earlier states of pages, and so what was deleted from them. Blocks.

    Raises:
        DiskLow: there is no room to write.
    """
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    with closing(connection), database_errors_named():
        connection.execute("PRAGMA synchronous = FULL")
        [busy, _log, _done] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy
