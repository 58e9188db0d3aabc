"""The gateway's one SQLite file: its tables, and transactions on it."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from caregrid.database_disk import database_errors_named
from caregrid.errors import ConfigInvalid
from storage_network.gateway.records import SEGMENT_SPACE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: What stock DeOSS says.
NO_SPACE: Final = "Server space is insufficient, please try again later"
_VERSION: Final = 1
_SEGMENT: Final = SEGMENT_SPACE // 3

_SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS objects (
    fid  BLOB PRIMARY KEY,
    size INTEGER NOT NULL CHECK (size > 0)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owners (
    fid       BLOB NOT NULL REFERENCES objects (fid),
    account   BLOB NOT NULL,
    name      TEXT NOT NULL,
    territory TEXT NOT NULL,
    PRIMARY KEY (fid, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX owners_by_account ON owners (account, fid);
CREATE TABLE IF NOT EXISTS fragments (
    fid      BLOB NOT NULL REFERENCES objects (fid),
    segment  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    digest   BLOB NOT NULL,
    node     TEXT NOT NULL,
    PRIMARY KEY (fid, segment, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE segments (
    fid    BLOB NOT NULL REFERENCES objects (fid),
    number INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (fid, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX fragments_by_home ON fragments (node, digest);
-- Space of a territory that objects take; kept by the transactions that add and remove owners.
CREATE TABLE used (
    account   BLOB NOT NULL,
    territory TEXT NOT NULL,
    bytes     INTEGER NOT NULL CHECK (bytes >= 0),
    PRIMARY KEY (account, territory)
) STRICT, WITHOUT ROWID;
INSERT INTO used
    SELECT account, territory, SUM((size + {_SEGMENT - 1}) / {_SEGMENT} * {SEGMENT_SPACE})
    FROM owners JOIN objects USING (fid) GROUP BY account, territory;
-- Fragments that a running upload or repair has given to a node or is about to.
CREATE TABLE intents (
    batch  INTEGER NOT NULL,
    node   TEXT NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (node, digest, batch)
) STRICT, WITHOUT ROWID;
-- Fragments that nodes may hold and no object has any more.
CREATE TABLE garbage (
    node   TEXT NOT NULL,
    digest BLOB NOT NULL,
    due    REAL NOT NULL,  -- Unix seconds
    PRIMARY KEY (node, digest)
) STRICT, WITHOUT ROWID;
-- Uploads in several requests; `fid` is there from the last one on.
CREATE TABLE uploads (
    id      BLOB PRIMARY KEY,
    account BLOB NOT NULL,
    total   INTEGER NOT NULL CHECK (total > 0),
    held    INTEGER NOT NULL CHECK (held BETWEEN 0 AND total),
    touched REAL NOT NULL,  -- Unix seconds
    fid     BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX uploads_by_account ON uploads (account, touched);
PRAGMA user_version = {_VERSION};
"""  # noqa: S608 - constants


class Database:
    """The gateway's file; every method blocks on the disk, and any thread may call it."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self.connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        # An answered upload must survive a power cut.
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute("PRAGMA foreign_keys = ON")
        self._migrate()

    def close(self) -> None:
        """Close the file, after what is under way: a cancelled request can have left a thread at work."""
        with self._lock:
            self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the file alone; what was written is durable on return, and undone on an error.

        Raises:
            DiskLow: there is no room to write; the file is as before.
        """
        with self._lock, database_errors_named(NO_SPACE):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                # A full disk may have ended the transaction by itself.
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    def _migrate(self) -> None:
        [version] = self.connection.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            self.close()
            raise ConfigInvalid("a newer gateway has written this catalogue; use that version")
        if version < _VERSION:
            self.connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
