"""Connections to the queue's file."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from caregrid.errors import DiskLow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Another process on the file (the CLI replaying, a backup) holds its lock for far less.
BUSY_TIMEOUT_S: Final = 10.0

#: The log is cut back to this after a checkpoint, so a burst does not keep the disk.
WAL_SIZE_LIMIT_BYTES: Final = 64 << 20

#: SQLite reports a full disk as either, depending on which write met it.
_DISK_FULL: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC})


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
    connection.execute(f"PRAGMA journal_size_limit = {WAL_SIZE_LIMIT_BYTES}")
    connection.execute(f"PRAGMA query_only = {int(read_only)}")
    return connection


@contextmanager
def disk_full_as_error() -> Iterator[None]:
    """Turn SQLite's word for a full disk into ours.

    Raises:
        DiskLow: there is no room to write.
    """
    try:
        yield
    except sqlite3.OperationalError as exc:
        if exc.sqlite_errorcode in _DISK_FULL:
            raise DiskLow from exc
        raise
