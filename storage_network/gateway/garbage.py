"""Which fragments nodes hold that no object has any more, noted so that no crash forgets them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable

    from storage_network.gateway.database import Database

_UNUSED: Final = (
    "NOT EXISTS (SELECT 1 FROM fragments WHERE fragments.node = {0}.node AND fragments.digest = {0}.digest)"
)


class GarbageList:
    """Fragments given to nodes and not recorded yet, and those to be deleted; methods block on the disk."""

    def __init__(self, database: Database) -> None:
        self._transaction = database.transaction

    def intend(
        self, intents: Iterable[tuple[int, str, bytes]], *, is_open: Callable[[int], bool] = lambda _: True
    ) -> None:
        """Note that nodes are about to get fragments: batch, node and digest of each.

        Those of a batch that is not open are left out: who was cancelled leaves a thread behind that may come
        here when its batch is settled, and nobody would settle it again.
        """
        with self._transaction() as db:
            still = [intent for intent in intents if is_open(intent[0])]
            db.executemany("INSERT INTO intents VALUES (?, ?, ?) ON CONFLICT DO NOTHING", still)

    def settle(self, batch: int, *, due: float) -> None:
        """Close a batch: what no object has of it becomes garbage, to be deleted from a time on."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO garbage SELECT node, digest, ? FROM intents "  # noqa: S608 - a constant
                f"WHERE batch = ? AND {_UNUSED.format('intents')} ON CONFLICT DO NOTHING",
                (due, batch),
            )
            db.execute("DELETE FROM intents WHERE batch = ?", (batch,))

    def recover(self, *, due: float) -> None:
        """Close the batches of an earlier process."""
        with self._transaction() as db:
            batches = db.execute("SELECT DISTINCT batch FROM intents").fetchall()
        for (batch,) in batches:
            self.settle(batch, due=due)

    def due(self, node: str, now: float, limit: int) -> list[bytes]:
        """Return digests of fragments to be deleted from a node."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT digest FROM garbage WHERE node = ? AND due <= ? LIMIT ?", (node, now, limit)
            ).fetchall()
        return [digest for (digest,) in rows]

    def unused(self, node: str, digests: Iterable[bytes]) -> list[bytes]:
        """Return those of the node's fragments that neither an object nor a running batch has."""
        with self._transaction() as db:
            return [digest for digest in digests if not _is_used(db, node, digest)]

    def forget(self, node: str, digests: Iterable[bytes]) -> None:
        """Strike off what has been deleted or is used again."""
        with self._transaction() as db:
            db.executemany(
                "DELETE FROM garbage WHERE node = ? AND digest = ?", [(node, digest) for digest in digests]
            )

    def count(self) -> int:
        """Return how many deletions are to be done."""
        with self._transaction() as db:
            return int(db.execute("SELECT COUNT(*) FROM garbage").fetchone()[0])


def _is_used(db: sqlite3.Connection, node: str, digest: bytes) -> bool:
    return any(
        db.execute(f"SELECT 1 FROM {table} WHERE node = ? AND digest = ? LIMIT 1", (node, digest)).fetchone()  # noqa: S608
        for table in ("fragments", "intents")
    )
