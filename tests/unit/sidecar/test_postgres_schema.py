"""The schema in PostgreSQL: created once, migrated on the operator's word, refused when newer, enforced."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from caregrid.errors import ConfigInvalid
from ocw_sidecar.adapters.postgres import Access, PostgresDatabase
from ocw_sidecar.adapters.postgres.connection import connect
from ocw_sidecar.adapters.postgres.schema import bring_up_to_date, stored_version
from ocw_sidecar.pipeline.migrations import SCHEMA_VERSION, postgres_migrations
from tests.databases import TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ocw_sidecar.adapters.postgres.connection import Connection
    from tests.postgres_server import PostgresServer

NEXT = SCHEMA_VERSION + 1


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


def test_tallies_stay_few_and_exact(made: Connection) -> None:
    """However many moves there are, folding leaves a few rows, and their sums do not change."""
    made.execute("SELECT set_config('caregrid.shard', '7', false)")
    insert = "INSERT INTO packs (id, size, record_count, state, oldest_at) VALUES (%s, 3, 1, 'planned', 0)"
    for number in range(500):
        made.execute(insert, (number.to_bytes(16),))
    sums = "SELECT kind, state, sum(items) AS items, sum(bytes) AS bytes FROM tallies GROUP BY kind, state"
    before = made.execute(sums).fetchall()
    made.execute("SELECT fold_tallies()")
    assert [{"kind": "pack", "state": "planned", "items": 500, "bytes": 1500}] == before
    assert before == made.execute(sums).fetchall()
    assert [{"rows": 1}] == made.execute("SELECT count(*) AS rows FROM tallies").fetchall()
