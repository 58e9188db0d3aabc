"""Brings a queue's file to the present schema, or refuses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caregrid.errors import ConfigInvalid
from ocw_sidecar.pipeline import sql
from ocw_sidecar.pipeline.migrations import SCHEMA_VERSION, migrations

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping


def bring_up_to_date(
    connection: sqlite3.Connection,
    *,
    version: int = SCHEMA_VERSION,
    steps: Mapping[int, str] | None = None,
) -> None:
    """Create the schema in an empty file, or migrate an older one; all in one transaction.

    Raises:
        ConfigInvalid: the file was written by a newer CareGrid.
    """
    found = stored_version(connection)
    if found > version:
        raise ConfigInvalid(
            f"the queue has schema version {found}, we know {version}; install the newer CareGrid again"
        )
    if found == version:
        return
    steps = migrations() if steps is None else steps
    whole = [sql.schema(room) for room in sql.ROOMS]
    scripts = whole if found == 0 else [steps[number] for number in range(found + 1, version + 1)]
    connection.executescript(
        "\n".join(["BEGIN IMMEDIATE;", *scripts, f"PRAGMA user_version = {version};", "COMMIT;"])
    )


def stored_version(connection: sqlite3.Connection) -> int:
    """Return the schema version of a file; 0 when it is empty."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
