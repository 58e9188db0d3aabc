"""The schema in PostgreSQL: created once, migrated on the operator's word, refused when newer, enforced."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psycopg
import pytest

from caregrid.errors import ConfigInvalid
from ocw_sidecar.adapters.postgres import Access, PostgresDatabase
from ocw_sidecar.adapters.postgres.connection import connect
from ocw_sidecar.adapters.postgres.lane import Lane
from ocw_sidecar.adapters.postgres.schema import bring_up_to_date, stored_version
from ocw_sidecar.pipeline.migrations import SCHEMA_VERSION, postgres_migrations
from storage_network.launch import wait_until
from tests.databases import TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocw_sidecar.adapters.postgres.connection import Connection
    from tests.postgres_server import PostgresServer

NEXT = SCHEMA_VERSION + 1

#: Version 2 as it was released; never edited afterwards.
FIRST: Final = Path(__file__).parent / "schemas" / "v2.postgres.sql"

#: What a database of that version holds: its number, and a record.
NOTED: Final = (
    """
    CREATE TABLE caregrid_schema (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1), version INTEGER NOT NULL
    );
    INSERT INTO caregrid_schema VALUES (1, 2);
    INSERT INTO submissions (id, patient, format, length, digest, state, received_at)
    VALUES (decode(repeat('00', 16), 'hex'), decode(repeat('01', 32), 'hex'), 0, 1,
        decode(repeat('02', 32), 'hex'), 'received', 0);
    INSERT INTO records (id, submission, ordinal, patient, format, state, outcome, sealed_at)
    SELECT id, id, 0, patient, format, 'rejected', '{}', 0 FROM submissions;
    """,
)

SHAPE: Final = (
    b"""SELECT table_name, column_name, data_type, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema = 'public'""",
    b"""SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace""",
    b"SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    b"SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    b"SELECT kind, old, new FROM transitions",
)

#: A page of a table or an index.
PAGE: Final = 8192


@pytest.fixture
def access(postgres_server: PostgresServer) -> Iterator[Access]:
    """How to reach a database without anything."""
    name = postgres_server.create_database()
    yield Access(postgres_server.url(name))
    postgres_server.drop_database(name)


@pytest.fixture
def made(postgres_server: PostgresServer) -> Iterator[Connection]:
    """A database with the present schema."""
    name = postgres_server.create_database(template=TEMPLATE)
    with closing(connect(Access(postgres_server.url(name)))) as connection:
        yield connection
    postgres_server.drop_database(name)


async def test_processes_that_start_at_once_create_one_schema(access: Access) -> None:
    """Of several processes on an empty database one creates the schema, and the others find it."""
    opened = await asyncio.gather(*(asyncio.to_thread(PostgresDatabase.open, access) for _ in range(4)))
    for each in opened:
        await each.close()
    with closing(connect(access)) as connection:
        assert SCHEMA_VERSION == stored_version(connection)


def test_older_schema_waits_for_the_operators_word(made: Connection) -> None:
    """An upgrade that nobody asked for changes nothing, and says what to do first."""
    steps = {NEXT: "ALTER TABLE keys ADD COLUMN note TEXT"}
    with pytest.raises(ConfigInvalid, match=r"pg_dump.*database\.migrate = true"):
        bring_up_to_date(made, migrate=False, version=NEXT, steps=steps)
    assert SCHEMA_VERSION == stored_version(made)
    bring_up_to_date(made, migrate=True, version=NEXT, steps=steps)
    assert NEXT == stored_version(made)
    assert made.execute("SELECT note FROM keys").fetchall() == []


def test_failed_step_changes_nothing(made: Connection) -> None:
    """A migration that breaks in the middle leaves the database as it was."""
    steps = {NEXT: "ALTER TABLE keys ADD COLUMN note TEXT; INSERT INTO nowhere VALUES (1);"}
    with pytest.raises(psycopg.errors.UndefinedTable, match="nowhere"):
        bring_up_to_date(made, migrate=True, version=NEXT, steps=steps)
    assert SCHEMA_VERSION == stored_version(made)
    with pytest.raises(psycopg.errors.UndefinedColumn):
        made.execute("SELECT note FROM keys")


def test_newer_schema_is_refused(made: Connection) -> None:
    """An old sidecar does not touch what a newer one wrote."""
    with pytest.raises(ConfigInvalid, match="newer CareGrid"):
        bring_up_to_date(made, migrate=True, version=SCHEMA_VERSION - 1, steps={})


def test_there_is_a_step_for_every_version() -> None:
    """Version 2 is PostgreSQL's first; no later one lacks the step that leads to it."""
    assert set(range(3, SCHEMA_VERSION + 1)) == set(postgres_migrations())


def test_migrated_equals_fresh(access: Access, made: Connection) -> None:
    """PostgreSQL's first schema with a record in it, brought up to date, is the same as one created today."""
    with closing(connect(access)) as old:
        for script in (FIRST.read_text(encoding="utf-8"), *NOTED):
            old.execute(script.encode(), prepare=False)
        old.commit()
        bring_up_to_date(old, migrate=True)
        assert SCHEMA_VERSION == stored_version(old)
        assert shape(made) == shape(old)
        assert [{"state": "rejected", "original": None}] == (
            old.execute("SELECT state, original FROM records").fetchall()
        )


def shape(connection: Connection) -> set[tuple[object, ...]]:
    """Return everything that defines a database: columns, constraints, indexes, and its fixed rows."""
    found = set()
    for query in SHAPE:
        found |= {tuple(row.values()) for row in connection.execute(query).fetchall()}
    return found


def test_a_move_outside_the_table_is_refused(made: Connection) -> None:
    """A statement that skips a state changes nothing, whoever wrote it."""
    made.execute(
        "INSERT INTO packs (id, size, record_count, state, oldest_at) VALUES (%s, 1, 1, 'planned', 0)",
        (bytes(16),),
    )
    made.commit()
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="no pack moves so"):
        made.execute("UPDATE packs SET state = 'anchored', object = %s", (bytes(32),))
    made.rollback()
    assert [{"state": "planned"}] == made.execute("SELECT state FROM packs").fetchall()


def test_an_item_cannot_begin_halfway(made: Connection) -> None:
    """An item is born in an initial state only."""
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="no pack begins so"):
        made.execute(
            "INSERT INTO packs (id, size, record_count, object, state, oldest_at)"
            " VALUES (%s, 1, 1, %s, 'stored', 0)",
            (bytes(16), bytes(32)),
        )


INSERT: Final = "INSERT INTO packs (id, size, record_count, state, oldest_at) VALUES (%s, 3, 1, 'planned', 0)"
TALLIES: Final = "SELECT shard, kind, state, items, bytes FROM tallies ORDER BY shard, kind, state"


def use_shard(connection: Connection, shard: int) -> None:
    """Have a connection count in a shard."""
    connection.execute("SELECT set_config('caregrid.shard', %s, false)", (str(shard),))
    connection.commit()


def test_tallies_are_exact_at_each_commit(made: Connection) -> None:
    """A transaction of any size adds to one row, whoever commits it; what is deleted is taken off."""
    use_shard(made, 7)
    for first in (0, 500):
        for number in range(first, first + 500):
            made.execute(INSERT, (number.to_bytes(16),))
        made.commit()
    planned = {"shard": 7, "kind": "pack", "state": "planned"}
    assert [planned | {"items": 1000, "bytes": 3000}] == made.execute(TALLIES).fetchall()
    made.execute("DELETE FROM packs WHERE id < %s", ((400).to_bytes(16),))
    made.commit()
    assert [planned | {"items": 600, "bytes": 1800}] == made.execute(TALLIES).fetchall()


def test_what_is_undone_is_not_counted(made: Connection) -> None:
    """Neither when a transaction is, nor when it goes on behind a savepoint."""
    use_shard(made, 7)
    made.execute(INSERT, (bytes(16),))
    made.rollback()
    made.execute(INSERT, ((1).to_bytes(16),))
    made.execute("SAVEPOINT attempt")
    for number in range(2, 300):
        made.execute(INSERT, (number.to_bytes(16),))
    made.execute("ROLLBACK TO attempt")
    made.execute("SAVEPOINT another")
    made.execute(INSERT, ((300).to_bytes(16),))
    made.execute("RELEASE another")
    made.commit()
    assert [2] == [row["items"] for row in made.execute(TALLIES).fetchall()]


def test_counting_leaves_nothing_dead_behind(made: Connection) -> None:
    """Rows of counts change in place and in their page, so that reading them stays cheap without a vacuum."""
    use_shard(made, 7)
    for number in range(2000):
        made.execute(INSERT, (number.to_bytes(16),))
        made.commit()
    found = made.execute(
        "SELECT pg_relation_size('tallies') AS heap, pg_relation_size('tallies_pkey') AS keys"
    )
    assert [{"heap": PAGE, "keys": 2 * PAGE}] == found.fetchall()


def test_nobody_waits_for_anothers_counts(postgres_server: PostgresServer) -> None:
    """Each writing connection has a shard of its own as long as it lives; a later one may take it over."""
    name = postgres_server.create_database(template=TEMPLATE)
    access = Access(postgres_server.url(name))
    lanes = [Lane(access, read_only=False) for _ in range(4)]
    shard = "SELECT own_shard() AS shard"
    opened = [lane.open() for lane in lanes]
    shards = [each.execute(shard).fetchall()[0]["shard"] for each in opened]
    for number, each in enumerate(opened):
        each.execute(INSERT, (number.to_bytes(16),))
        each.execute("SET CONSTRAINTS ALL IMMEDIATE")  # counted, and not yet committed
    for each in opened:
        each.commit()
    assert [0, 1, 2, 3] == sorted(shards)
    lanes[1].close()
    with closing(connect(access)) as other:
        wait_until(lambda: _is_free(other, shards[1]), 10.0)
    assert shards[1] == lanes[1].open().execute(shard).fetchall()[0]["shard"]
    for lane in lanes:
        lane.close()
    postgres_server.drop_database(name)


def _is_free(connection: Connection, shard: int) -> bool:
    held = "SELECT count(*) AS held FROM pg_locks WHERE locktype = 'advisory' AND objid = %s"
    found = connection.execute(held, (shard,)).fetchall()
    connection.rollback()
    return found == [{"held": 0}]
