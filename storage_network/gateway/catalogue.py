"""What the gateway knows of stored objects.

An object is here exactly when all of its fragments were written to their nodes and synced.
"""

from __future__ import annotations

import secrets
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from caregrid.errors import Conflict, TerritoryUnusable
from storage_network.gateway.database import Database
from storage_network.gateway.records import (
    OwnedObject,
    Owner,
    PlacedFragment,
    PlacedSegment,
    StoredObject,
    space_of,
)

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["Catalogue", "Owner", "PlacedFragment", "PlacedSegment", "StoredObject"]


class Catalogue:
    """Objects, their owners and fragments; every method blocks on the disk, and any thread may call it."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path)
        self._db = self.database.connection
        self._transaction = self.database.transaction

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def add(self, stored: StoredObject, owner: Owner, *, allowed: int | None = None) -> None:
        """Record an object and its owner in one transaction; a known object stays as it is.

        Args:
            stored: the object.
            owner: who stored it.
            allowed: bytes of space that the owner's territory has in all; None where that is no limit.

        Raises:
            Conflict: an object of another size has this id.
            TerritoryUnusable: the territory has no room for it.
        """
        with self._transaction() as db:
            new = db.execute(
                "INSERT INTO objects (fid, size) VALUES (?, ?) ON CONFLICT DO NOTHING",
                (stored.fid, stored.size),
            )
            if new.rowcount:
                db.executemany("INSERT INTO fragments VALUES (?, ?, ?, ?, ?)", _fragment_rows(stored))
                rows = [(stored.fid, number, digest) for number, digest in enumerate(stored.digests)]
                db.executemany("INSERT INTO segments VALUES (?, ?, ?)", rows)
            else:
                _require_size(_size(db, stored.fid), stored.size)
            _insert_owner(db, stored.fid, stored.size, owner, allowed)

    def add_owner(self, fid: bytes, size: int, owner: Owner, *, allowed: int | None = None) -> bool:
        """Record one more owner of an object and tell whether it is known; arguments and errors as `add`.

        An owner keeps his first name for it.
        """
        with self._transaction() as db:
            known = _size(db, fid)
            if known is None:
                return False
            _require_size(known, size)
            _insert_owner(db, fid, size, owner, allowed)
            return True

    def remove_owner(self, fid: bytes, account: bytes) -> bool:
        """Forget an owner and tell whether he was one; with the last one, the object becomes garbage."""
        with self._transaction() as db:
            found = db.execute(
                "DELETE FROM owners WHERE fid = ? AND account = ? RETURNING territory", (fid, account)
            ).fetchone()
            if found is None:
                return False
            _charge(db, account, found[0], -space_of(_size(db, fid) or 0))
            if db.execute("SELECT 1 FROM owners WHERE fid = ?", (fid,)).fetchone() is None:
                _remove_object(db, fid)
            return True

    def move(self, fid: bytes, moves: Iterable[tuple[int, int, str]]) -> None:
        """Record new homes of fragments: segment, position and node of each, in one transaction.

        What the former homes may still hold becomes garbage.
        """
        with self._transaction() as db:
            for segment, position, node in moves:
                place = (fid, segment, position)
                db.execute(
                    "INSERT INTO garbage SELECT node, digest, 0 FROM fragments WHERE fid = ? "
                    "AND segment = ? AND position = ? AND node <> ? ON CONFLICT DO NOTHING",
                    (*place, node),
                )
                db.execute(
                    "UPDATE fragments SET node = ? WHERE fid = ? AND segment = ? AND position = ?",
                    (node, *place),
                )

    def find(self, fid: bytes) -> StoredObject | None:
        """Return an object, or None."""
        with self._transaction() as db:
            size = _size(db, fid)
            if size is None:
                return None
            rows = db.execute(
                "SELECT segment, digest, node FROM fragments WHERE fid = ? ORDER BY segment, position", (fid,)
            ).fetchall()
            digests = db.execute("SELECT digest FROM segments WHERE fid = ? ORDER BY number", (fid,))
            return StoredObject(
                fid=fid,
                size=size,
                segments=tuple(_segments(rows)),
                digests=tuple(digest for (digest,) in digests),
            )

    def size(self, fid: bytes) -> int | None:
        """Return the size of an object in bytes, or None."""
        with self._transaction() as db:
            return _size(db, fid)

    def owners(self, fid: bytes) -> list[Owner]:
        """Return the owners of an object."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT account, name, territory FROM owners WHERE fid = ? ORDER BY account", (fid,)
            ).fetchall()
        return [Owner(account=account, name=name, territory=territory) for account, name, territory in rows]

    def owned(
        self, account: bytes, *, territory: str | None = None, after: bytes = b"", limit: int
    ) -> list[OwnedObject]:
        """Return objects of an account behind an id, in the order of their ids."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT fid, size, territory FROM owners JOIN objects USING (fid) WHERE account = ?1 "
                "AND fid > ?2 AND (?3 IS NULL OR territory = ?3) ORDER BY fid LIMIT ?4",
                (account, after, territory, limit),
            ).fetchall()
        return [OwnedObject(fid=fid, size=size, territory=named) for fid, size, named in rows]

    def used(self, account: bytes, territory: str) -> int:
        """Return the bytes of space that an account's objects take of a territory."""
        with self._transaction() as db:
            return _used(db, account, territory)

    def any_fragment(self, node: str) -> bytes | None:
        """Return the digest of a fragment, taken at random, that a node should hold; None without any."""
        with self._transaction() as db:
            for least in (secrets.token_bytes(32), b""):
                found = db.execute(
                    "SELECT digest FROM fragments WHERE node = ? AND digest >= ? ORDER BY digest LIMIT 1",
                    (node, least),
                ).fetchone()
                if found is not None:
                    return bytes(found[0])
        return None


def _require_size(known: int | None, size: int) -> None:
    if known != size:
        raise Conflict(
            f"content of {known} bytes has this file id; the two differ by trailing zero bytes only"
        )


def _insert_owner(db: sqlite3.Connection, fid: bytes, size: int, owner: Owner, allowed: int | None) -> None:
    new = db.execute(
        "INSERT INTO owners (fid, account, name, territory) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (fid, owner.account, owner.name, owner.territory),
    )
    if new.rowcount:
        _charge(db, owner.account, owner.territory, space_of(size))
        if allowed is not None and _used(db, owner.account, owner.territory) > allowed:
            raise TerritoryUnusable("insufficient territory space")


def _charge(db: sqlite3.Connection, account: bytes, territory: str, space: int) -> None:
    db.execute("INSERT INTO used VALUES (?, ?, 0) ON CONFLICT DO NOTHING", (account, territory))
    db.execute(
        "UPDATE used SET bytes = bytes + ? WHERE account = ? AND territory = ?", (space, account, territory)
    )
    db.execute("DELETE FROM used WHERE account = ? AND territory = ? AND bytes = 0", (account, territory))


def _used(db: sqlite3.Connection, account: bytes, territory: str) -> int:
    found = db.execute(
        "SELECT bytes FROM used WHERE account = ? AND territory = ?", (account, territory)
    ).fetchone()
    return 0 if found is None else int(found[0])


def _remove_object(db: sqlite3.Connection, fid: bytes) -> None:
    db.execute(
        "INSERT INTO garbage SELECT DISTINCT node, digest, 0 FROM fragments WHERE fid = ? "
        "ON CONFLICT DO UPDATE SET due = 0",
        (fid,),
    )
    db.execute("DELETE FROM fragments WHERE fid = ?", (fid,))
    db.execute("DELETE FROM segments WHERE fid = ?", (fid,))
    db.execute("DELETE FROM objects WHERE fid = ?", (fid,))


def _size(db: sqlite3.Connection, fid: bytes) -> int | None:
    found = db.execute("SELECT size FROM objects WHERE fid = ?", (fid,)).fetchone()
    return None if found is None else int(found[0])


def _fragment_rows(stored: StoredObject) -> Iterator[tuple[bytes, int, int, bytes, str]]:
    for number, segment in enumerate(stored.segments):
        for position, fragment in enumerate(segment):
            yield (stored.fid, number, position, fragment.digest, fragment.node)


def _segments(rows: Iterable[tuple[int, bytes, str]]) -> Iterator[PlacedSegment]:
    for _, group in groupby(rows, key=itemgetter(0)):
        yield tuple(PlacedFragment(digest=digest, node=node) for _, digest, node in group)
