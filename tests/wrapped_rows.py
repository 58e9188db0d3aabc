"""Rows of every table that holds wrapped keys, for tests of rotation."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ocw_sidecar.adapters.sql.rotation import SqlWrappedKeys
from ocw_sidecar.pipeline.fingerprints import KEY_ID
from ocw_sidecar.pipeline.rotation import Shelf
from ocw_sidecar.pipeline.sql import Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caregrid.keys import KeyStore
    from ocw_sidecar.adapters.sql import Database
    from ocw_sidecar.adapters.sql.database import Session


def statement(text: str) -> Statement:
    """Return a statement of a test's own."""
    return Statement("test", text, text)


INSERT_KEY = statement("INSERT INTO keys (id, wrapped) VALUES (:id, :wrapped)")
DELETE_KEY = statement("DELETE FROM keys WHERE id = :id")
SET_KEY = statement("UPDATE keys SET wrapped = :wrapped WHERE id = :id")
INSERT_PRINT = statement("INSERT INTO fingerprint_keys (only_row, wrapped) VALUES (1, :wrapped)")
INSERT_CHANNEL = statement(
    "INSERT INTO channels (id, recipient, origin, slot, digest_at, sealed, wrapped, wake_at) "
    "VALUES (:id, :recipient, 'own', :slot, -1, :sealed, :wrapped, 0)"
)
INSERT_PLAN = statement(
    "INSERT INTO compactions (id, state, size, record_count, planned_at, due_at) "
    "VALUES (:id, 'planned', 1, 1, 0, 0)"
)
INSERT_MOVE = statement(
    "INSERT INTO compaction_records (record, compaction, patient, format, source, source_offset, "
    "source_digest, position, length, digest, wrapped) VALUES (:id, :plan, :hash, 1, :hash, 0, :hash, 0, 1, "
    ":hash, :wrapped)"
)


def an_id(number: int) -> bytes:
    """Return the number's id."""
    return number.to_bytes(16, "big")


def data_key(shelf: Shelf, number: int) -> bytes:
    """Return the data key that a row holds."""
    return hashlib.sha256(f"{shelf}/{number}".encode()).digest()


@dataclass
class Filled:
    """What was put into a database: data keys by shelf and id."""

    keys: dict[tuple[Shelf, bytes], bytes] = field(default_factory=dict)


async def fill(database: Database, store: KeyStore, *, records: int) -> Filled:
    """Put keys into every table: so many records, three channels, a fingerprint key, two resealed records."""
    filled = Filled()

    def put(db: Session, of: Statement, shelf: Shelf, number: int, **more: Any) -> None:
        key_id = KEY_ID if shelf is Shelf.FINGERPRINTS else an_id(number)
        key = data_key(shelf, number)
        named = {} if shelf is Shelf.FINGERPRINTS else {"id": key_id}
        db.execute(of, {**named, "wrapped": store.wrap(key_id, key), **more})
        filled.keys[shelf, key_id] = key

    def work(db: Session) -> None:
        for number in range(records):
            put(db, INSERT_KEY, Shelf.RECORDS, number)
        for number in range(3):
            put(db, INSERT_CHANNEL, Shelf.CHANNELS, number, recipient=b"r" * 32, slot=number, sealed=b"s")
        put(db, INSERT_PRINT, Shelf.FINGERPRINTS, 0)
        db.execute(INSERT_PLAN, {"id": b"p" * 16})
        for number in range(2):
            put(db, INSERT_MOVE, Shelf.RESEALED, number, plan=b"p" * 16, hash=b"h" * 32)

    await database.write(work)
    return filled


async def wrapped_rows(database: Database) -> dict[tuple[Shelf, bytes], bytes]:
    """Return every wrapped key as it is stored, by shelf and id."""
    keys = SqlWrappedKeys(database)
    return {
        (shelf, row.id): row.wrapped
        for shelf in Shelf
        for row in await keys.page(shelf, after=b"", limit=1_000_000)
    }


async def opened(database: Database, stores: Sequence[KeyStore]) -> list[dict[tuple[Shelf, bytes], bytes]]:
    """Return what each store opens of it."""
    rows = await wrapped_rows(database)
    return [{place: store.unwrap(place[1], wrapped) for place, wrapped in rows.items()} for store in stores]
