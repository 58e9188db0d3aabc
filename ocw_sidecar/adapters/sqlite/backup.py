"""A copy of the database's file before its schema is changed."""

from __future__ import annotations

import os
import secrets
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

from caregrid.database_disk import database_errors_named
from caregrid.disk import sync_folder
from caregrid.errors import DiskLow

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

#: The copies of the last few upgrades; older ones go.
KEPT: Final = 3

#: The copy, the migration's own log, and at worst a second copy of every table that it rewrites.
ROOM_FACTOR: Final = 3


def back_up(connection: sqlite3.Connection, path: Path, *, version: int, now: datetime) -> Path:
    """Copy the file at `path`, open on `connection`, into the folder `backups` beside it; return the copy.

    It is whole and durable before this returns, and readable by its owner only.

    Raises:
        DiskLow: there is no room for the copy and the migration.
    """
    _require_room(connection, path.parent)
    folder = path.parent / "backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    for stray in folder.glob(".*.part"):
        stray.unlink()
    target = folder / f"{path.stem}-{now:%Y%m%dT%H%M%SZ}-v{version}{path.suffix}"
    part = folder / f".{secrets.token_hex(8)}.part"
    try:
        _copy(connection, part)
        part.replace(target)
        sync_folder(folder)
    finally:
        part.unlink(missing_ok=True)
    for old in sorted(folder.glob(f"{path.stem}-*{path.suffix}"))[:-KEPT]:
        old.unlink()
    return target


def _require_room(connection: sqlite3.Connection, folder: Path) -> None:
    pages, page_size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")
    )
    wanted = ROOM_FACTOR * pages * page_size
    if shutil.disk_usage(folder).free < wanted:
        raise DiskLow(f"the upgrade needs {wanted >> 20} MiB of free disk in {folder}; free some space")


def _copy(connection: sqlite3.Connection, part: Path) -> None:
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with database_errors_named(), closing(sqlite3.connect(part)) as copy:
        connection.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        if copy.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("the copy before the upgrade is not sound; check the disk")
    handle = os.open(part, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
