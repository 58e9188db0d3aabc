"""Tags, rounds and the nodes' answers in a database of either kind, and the fold that finds new objects."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from caregrid.proofs import schedule
from ocw_sidecar.adapters.sql.ledger_rows import known
from ocw_sidecar.adapters.sql.rows import to_ms
from ocw_sidecar.ledger.proofs import NodeRecord, ProofBook, ProofCounts, ProvedObject, Tagging
from ocw_sidecar.pipeline import sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from caregrid.chain.port import FinalizedBlock, ProofScheme
    from ocw_sidecar.adapters.sql.database import Database, Row, Session
    from ocw_sidecar.ledger.items import KnownObject

SQL: Final = sql.named_statements("proofs")

#: Rows of nodes dropped at once; the next time the others go.
DROPPED: Final = 1_000


def fold(db: Session, block: FinalizedBlock, organisation: bytes, now: datetime) -> None:
    """Take in which objects a block gave us, which are to be tagged, and which it gave up."""
    for event in block.events:
        if event.pallet != "Emr" or event.fields.get("custodian") != organisation:
            continue
        if event.name == "ObjectStored":
            db.execute(SQL["put_object"], {"object": event.fields["object"], "now": to_ms(now)})
        elif event.name == "ObjectRemoved":
            _end(db, event.fields["object"])


class SqlProofBook(ProofBook):
    """The tables; the database stays open when this is dropped."""

    def __init__(self, database: Database) -> None:
        self._write, self._read = database.write, database.read

    async def due_taggings(self, limit: int, *, now: datetime) -> list[Tagging]:
        """List what is due; see `ProofBook.due_taggings`."""
        found = await self._rows("due_taggings", limit=limit, now=to_ms(now))
        return [Tagging(object_id=bytes(row["object"]), attempts=row["attempts"]) for row in found]

    async def keep_tags(self, object_id: bytes, scheme: ProofScheme, encoded: bytes) -> None:
        """Keep a list; see `ProofBook.keep_tags`."""
        await self._do("put_tags", object=object_id, scheme=scheme.value, list=encoded)

    async def tags(self, object_id: bytes, scheme: ProofScheme) -> bytes | None:
        """Read a list; see `ProofBook.tags`."""
        found = await self._rows("tags", object=object_id, scheme=scheme.value)
        return bytes(found[0]["list"]) if found else None

    async def note_committed(self, object_id: bytes, committed_at: int) -> None:
        """Note a block; see `ProofBook.note_committed`."""
        await self._do("note_committed", object=object_id, committed_at=committed_at)

    async def finish_tagging(self, object_id: bytes) -> None:
        """Note the end; see `ProofBook.finish_tagging`."""
        await self._do("finish_tagging", object=object_id)

    async def postpone_tagging(self, object_id: bytes, *, due: datetime, reason: str) -> None:
        """Put one off; see `ProofBook.postpone_tagging`."""
        await self._do("postpone_tagging", object=object_id, due=to_ms(due), reason=reason)

    async def tag_again(self, object_id: bytes, *, now: datetime) -> None:
        """Make one due; see `ProofBook.tag_again`."""
        await self._do("tag_again", object=object_id, now=to_ms(now))

    async def end(self, object_id: bytes) -> None:
        """Forget an object; see `ProofBook.end`."""
        await self._write(lambda db: _end(db, object_id))

    async def open_rounds(self, limit: int) -> list[ProvedObject]:
        """List open rounds; see `ProofBook.open_rounds`."""
        return [_proved(row) for row in await self._rows("open_rounds", limit=limit)]

    async def oldest_rounds(self, height: int, limit: int) -> list[ProvedObject]:
        """List objects by age; see `ProofBook.oldest_rounds`."""
        found = await self._rows("oldest_rounds", **_askable(height), limit=limit)
        return [_proved(row) for row in found]

    async def riskiest_rounds(self, height: int, limit: int) -> list[ProvedObject]:
        """List objects by risk; see `ProofBook.riskiest_rounds`."""
        found = await self._rows("riskiest_rounds", **_askable(height), limit=limit)
        return [_proved(row) for row in found]

    async def never_asked(self, height: int, limit: int) -> list[KnownObject]:
        """List objects without a round; see `ProofBook.never_asked`."""
        before = _askable(height)["before"]
        found = await self._rows("never_asked", before=before, height=height, limit=limit)
        return [known(row) for row in found]

    async def note_round(self, asked: ProvedObject) -> None:
        """Note a round; see `ProofBook.note_round`."""
        values = asdict(asked)
        await self._do("note_round", object=values.pop("object_id"), **values)

    async def nodes(self, names: Iterable[str]) -> Mapping[str, NodeRecord]:
        """Look nodes up; see `ProofBook.nodes`."""

        def collect(db: Session) -> list[Row | None]:
            return [db.execute(SQL["node"], {"node": name}).fetchone() for name in names]

        return _records(row for row in await self._read(collect) if row is not None)

    async def worst_nodes(self, limit: int) -> Mapping[str, NodeRecord]:
        """List nodes; see `ProofBook.worst_nodes`."""
        return _records(await self._rows("worst_nodes", limit=limit))

    async def note_nodes(self, records: Mapping[str, NodeRecord], *, height: int, keep: int) -> None:
        """Note answers; see `ProofBook.note_nodes`."""
        told = [{"node": name, **asdict(each), "seen_at": height} for name, each in records.items()]

        def note(db: Session) -> None:
            db.executemany(SQL["put_node"], told)
            db.execute(SQL["prune_nodes"], {"keep": keep, "dropped": DROPPED})

        await self._write(note)

    async def counts(self) -> ProofCounts:
        """Count; see `ProofBook.counts`."""
        [row] = await self._rows("count_objects")
        return ProofCounts(
            objects=row["items"], proved=row["proved"], waiting=row["waiting"], open=row["open"]
        )

    async def overdue(self, before: int, limit: int) -> int:
        """Count what is late; see `ProofBook.overdue`."""
        [row] = await self._rows("count_overdue", before=before, limit=limit)
        return int(row["items"])

    async def _rows(self, statement: str, **parameters: Any) -> list[Row]:
        return await self._read(lambda db: db.execute(SQL[statement], parameters).fetchall())

    async def _do(self, statement: str, **parameters: Any) -> None:
        await self._write(lambda db: db.execute(SQL[statement], parameters).rowcount)


def _end(db: Session, object_id: bytes) -> None:
    for name in ("end_tags", "end_object"):
        db.execute(SQL[name], {"object": object_id})


def _records(rows: Iterable[Row]) -> dict[str, NodeRecord]:
    return {
        str(row["node"]): NodeRecord(
            answers=row["answers"],
            condemned=row["condemned"],
            silent=row["silent"],
            good=row["good"],
            bad=row["bad"],
        )
        for row in rows
    }


def _askable(height: int) -> dict[str, int]:
    # The last round, and the block that a commitment has to come before for it to be one.
    last = height // schedule.ROUND_BLOCKS * schedule.ROUND_BLOCKS
    return {"round": last, "before": schedule.first_mixed(last)}


def _proved(row: Row) -> ProvedObject:
    return ProvedObject(
        object_id=bytes(row["object"]),
        round_at=row["round_at"],
        public_at=row["public_at"],
        risk=row["risk"],
        open_at=row["open_at"],
        misses=row["misses"],
    )
