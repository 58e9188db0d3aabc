"""Fragments that can have another home, and giving them one."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

    from storage_network.gateway.database import Database

_COLUMNS = "fid, segment, position, digest, node"


@dataclass(frozen=True, kw_only=True, slots=True)
class Homed:
    """A fragment of an object, and where it is."""

    fid: bytes
    segment: int
    position: int
    digest: bytes
    node: str

    @property
    def key(self) -> tuple[bytes, bytes, int, int]:
        """Where it stands in the order of a node's fragments."""
        return (self.digest, self.fid, self.segment, self.position)


class MoveList:
    """Reads and changes the homes of fragments; every method blocks on the disk, any thread may call it."""

    def __init__(self, database: Database) -> None:
        self._transaction = database.transaction

    def page(self, node: str, after: Homed | None, limit: int) -> list[Homed]:
        """Return fragments of a node in their order, from behind one on."""
        key = (b"", b"", -1, -1) if after is None else after.key
        with self._transaction() as db:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM fragments WHERE node = ? "  # noqa: S608 - a constant
                "AND (digest, fid, segment, position) > (?, ?, ?, ?) "
                "ORDER BY digest, fid, segment, position LIMIT ?",
                (node, *key, limit),
            ).fetchall()
        return [_homed(row) for row in rows]

    def any_that_fits(self, node: str, target: str) -> Homed | None:
        """Return a fragment of a node, taken at random, of whose segment another node has none."""
        with self._transaction() as db:
            for least in (secrets.token_bytes(32), b""):
                row = db.execute(
                    f"SELECT {_COLUMNS} FROM fragments AS mine WHERE node = ?1 AND digest >= ?2 "  # noqa: S608
                    "AND NOT EXISTS (SELECT 1 FROM fragments AS other WHERE other.fid = mine.fid "
                    "AND other.segment = mine.segment AND other.node = ?3) ORDER BY digest LIMIT 1",
                    (node, least, target),
                ).fetchone()
                if row is not None:
                    return _homed(row)
        return None

    def holders(self, fragment: Homed) -> set[str]:
        """Return the nodes that hold the fragments of its segment; none when the object is gone."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT node FROM fragments WHERE fid = ? AND segment = ?", (fragment.fid, fragment.segment)
            ).fetchall()
        return {node for (node,) in rows}

    def switch(self, fragment: Homed, node: str, *, due: float) -> bool:
        """Give a fragment a new home, unless it has moved or gone meanwhile; tell whether it has it now.

        What the former home holds becomes garbage, to be deleted from a time on.
        """
        place = (fragment.fid, fragment.segment, fragment.position)
        with self._transaction() as db:
            changed = db.execute(
                "UPDATE fragments SET node = ?4 WHERE fid = ?1 AND segment = ?2 AND position = ?3 "
                "AND node = ?5 AND NOT EXISTS (SELECT 1 FROM fragments AS other WHERE other.fid = ?1 "
                "AND other.segment = ?2 AND other.node = ?4)",
                (*place, node, fragment.node),
            )
            if not changed.rowcount:
                return False
            _discard(db, fragment, due)
            return True

    def count(self, node: str) -> int:
        """Return how many fragments a node is to hold."""
        with self._transaction() as db:
            return int(db.execute("SELECT COUNT(*) FROM fragments WHERE node = ?", (node,)).fetchone()[0])


def _discard(db: sqlite3.Connection, fragment: Homed, due: float) -> None:
    # If another object has it there, it stays: what is used is never deleted.
    db.execute(
        "INSERT INTO garbage VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (fragment.node, fragment.digest, due)
    )


def _homed(row: tuple[bytes, int, int, bytes, str]) -> Homed:
    fid, segment, position, digest, node = row
    return Homed(fid=fid, segment=segment, position=position, digest=digest, node=node)
