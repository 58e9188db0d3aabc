"""What SQLite says of a full disk and of a held database, in our words.

Apart from :mod:`caregrid.disk`, so that who has no database loads none.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from caregrid.errors import DatabaseUnreachable, DiskLow

if TYPE_CHECKING:
    from collections.abc import Iterator

#: SQLite reports a full disk as any of these, depending on which write met it; the last is the log's index.
_DATABASE_FULL: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_WRITE,
        sqlite3.SQLITE_IOERR_FSYNC,
        sqlite3.SQLITE_IOERR_SHMSIZE,
    }
)

_HELD: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
#: What an extended result code has in common with the others of its kind.
_PRIMARY: Final = 0xFF


@contextmanager
def database_errors_named(advice: str | None = None) -> Iterator[None]:
    """Turn SQLite's words for a full disk and for a database that somebody else holds into ours.

    Raises:
        DiskLow: there is no room to write; it says `advice`, if that is given.
        DatabaseUnreachable: another process held the database for longer than was waited.
    """
    try:
        yield
    except sqlite3.OperationalError as exc:
        if exc.sqlite_errorcode in _DATABASE_FULL:
            raise DiskLow(advice) from exc
        if exc.sqlite_errorcode & _PRIMARY in _HELD:
            raise DatabaseUnreachable(
                "another process holds the database; try again when it is done"
            ) from exc
        raise
