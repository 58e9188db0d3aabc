"""What the gateway knows of stored objects: one SQLite file.

An object is here exactly when all of its fragments were written to their nodes and synced.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_SCHEMA: Final = """
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
CREATE TABLE IF NOT EXISTS fragments (
    fid      BLOB NOT NULL REFERENCES objects (fid),
    segment  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    digest   BLOB NOT NULL,
    node     TEXT NOT NULL,
    PRIMARY KEY (fid, segment, position)
) STRICT, WITHOUT ROWID;
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """An account that stored an object, and under which name."""

    account: bytes
    name: str
    territory: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PlacedFragment:
    """One fragment and the node that keeps it."""

    digest: bytes
    node: str


#: The 12 fragments of one segment, in the order of their indexes.
PlacedSegment = tuple[PlacedFragment, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredObject:
    """One object and where its fragments are."""

    fid: bytes
    size: int
    segments: tuple[PlacedSegment, ...]


class Catalogue:
    """Objects, their owners and fragments; every method blocks on the disk, and any thread may call it."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        # An answered upload must survive a power cut.
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, stored: StoredObject, owner: Owner) -> None:
        """Record an object and its owner in one transaction; a known object stays as it is."""
        with self._transaction() as db:
            known = db.execute(
                "INSERT INTO objects (fid, size) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (stored.fid, stored.size),
            )
            if known.rowcount:
                db.executemany("INSERT INTO fragments VALUES (?, ?, ?, ?, ?)", _fragment_rows(stored))
            _insert_owner(db, stored.fid, owner)

    def add_owner(self, fid: bytes, owner: Owner) -> None:
        """Record one more owner of a known object; an owner keeps his first name for it."""
        with self._transaction() as db:
            _insert_owner(db, fid, owner)

    def move(self, fid: bytes, moves: Iterable[tuple[int, int, str]]) -> None:
        """Record new homes of fragments: segment, position and node of each, in one transaction."""
        with self._transaction() as db:
            db.executemany(
                "UPDATE fragments SET node = ? WHERE fid = ? AND segment = ? AND position = ?",
                [(node, fid, segment, position) for segment, position, node in moves],
            )

    def find(self, fid: bytes) -> StoredObject | None:
        """Return an object, or None."""
        with self._transaction() as db:
            found = db.execute("SELECT size FROM objects WHERE fid = ?", (fid,)).fetchone()
            if found is None:
                return None
            rows = db.execute(
                "SELECT segment, digest, node FROM fragments WHERE fid = ? ORDER BY segment, position", (fid,)
            ).fetchall()
        return StoredObject(fid=fid, size=found[0], segments=tuple(_segments(rows)))

    def size(self, fid: bytes) -> int | None:
        """Return the size of an object in bytes, or None."""
        with self._transaction() as db:
            found = db.execute("SELECT size FROM objects WHERE fid = ?", (fid,)).fetchone()
        return None if found is None else int(found[0])

    def owners(self, fid: bytes) -> list[Owner]:
        """Return the owners of an object."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT account, name, territory FROM owners WHERE fid = ? ORDER BY account", (fid,)
            ).fetchall()
        return [Owner(account=account, name=name, territory=territory) for account, name, territory in rows]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")


def _insert_owner(db: sqlite3.Connection, fid: bytes, owner: Owner) -> None:
    db.execute(
        "INSERT INTO owners (fid, account, name, territory) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (fid, owner.account, owner.name, owner.territory),
    )


def _fragment_rows(stored: StoredObject) -> Iterator[tuple[bytes, int, int, bytes, str]]:
    for number, segment in enumerate(stored.segments):
        for position, fragment in enumerate(segment):
            yield (stored.fid, number, position, fragment.digest, fragment.node)


def _segments(rows: Iterable[tuple[int, bytes, str]]) -> Iterator[PlacedSegment]:
    for _, group in groupby(rows, key=itemgetter(0)):
        yield tuple(PlacedFragment(digest=digest, node=node) for _, digest, node in group)
