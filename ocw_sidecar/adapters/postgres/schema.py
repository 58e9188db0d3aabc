"""Creates the schema in PostgreSQL, migrates an older one when it is told to, or refuses it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from caregrid.errors import ConfigInvalid
from ocw_sidecar.adapters.postgres import translation
from ocw_sidecar.adapters.postgres.connection import errors_named
from ocw_sidecar.pipeline import sql
from ocw_sidecar.pipeline.migrations import SCHEMA_VERSION, postgres_migrations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ocw_sidecar.adapters.postgres.connection import Connection

#: The advisory lock under which one process at a time looks at the version and changes it.
_LOCK: Final = 0x6361_7265_6772_6964

_VERSION_TABLE: Final = """
CREATE TABLE IF NOT EXISTS caregrid_schema (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
    version INTEGER NOT NULL
)
"""


def bring_up_to_date(
    connection: Connection,
    *,
    migrate: bool,
    version: int = SCHEMA_VERSION,
    steps: Mapping[int, str] | None = None,
) -> None:
    """Create the schema in an empty database, or migrate an older one; all in one transaction.

    Processes that start at once wait for each other here.

    Raises:
        ConfigInvalid: the schema is newer than ours; or older, and `migrate` does not allow to change it.
    """
    with errors_named(), _alone(connection), connection.transaction():
        found = stored_version(connection)
        scripts = _scripts(found, version, postgres_migrations() if steps is None else steps, migrate=migrate)
        if scripts:
            connection.execute("SET LOCAL statement_timeout = 0")  # a step may rewrite a large table
        for script in scripts:
            connection.execute(script.encode(), prepare=False)
        if scripts:
            _note(connection, version)


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    # In a transaction of its own: one that waited for the lock would not see what the one before it did.
    with connection.transaction():
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
            connection.commit()


def stored_version(connection: Connection) -> int:
    """Return the schema version of a database; 0 when it is empty."""
    if connection.execute("SELECT to_regclass('caregrid_schema') AS found").fetchone() == {"found": None}:
        return 0
    row = connection.execute("SELECT version FROM caregrid_schema").fetchone()
    return 0 if row is None else int(row["version"])


def _scripts(found: int, version: int, steps: Mapping[int, str], *, migrate: bool) -> list[str]:
    if found > version:
        raise ConfigInvalid(
            f"the database has schema version {found}, we know {version}; install the newer CareGrid again"
        )
    if found == 0:
        return [translation.schema(room) for room in sql.ROOMS]
    if found < version and not migrate:
        raise ConfigInvalid(
            f"the database has schema version {found}, we need {version}; stop every sidecar, save it with "
            "`pg_dump`, then start one with `database.migrate = true`"
        )
    return [steps[number] for number in range(found + 1, version + 1)]


def _note(connection: Connection, version: int) -> None:
    connection.execute(_VERSION_TABLE)
    connection.execute(
        "INSERT INTO caregrid_schema VALUES (1, %s)"
        " ON CONFLICT (only_row) DO UPDATE SET version = excluded.version",
        (version,),
    )
