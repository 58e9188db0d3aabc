"""The queue's file: created fresh, brought up from older versions, refused when newer."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from caregrid.errors import ConfigInvalid
from ocw_sidecar.adapters.sqlite import SqliteDatabase
from ocw_sidecar.adapters.sqlite.connection import connect
from ocw_sidecar.adapters.sqlite.schema import bring_up_to_date, stored_version
from ocw_sidecar.pipeline.migrations import SCHEMA_VERSION, migrations

#: The schema of each released version, as it was released; never edited afterwards.
RELEASED = Path(__file__).parent / "schemas"


def shape(database: sqlite3.Connection) -> set[tuple[str, ...]]:
    """Return everything that defines a database: its objects, column by column, and its fixed rows."""
    objects = database.execute("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    found = {(kind, name, table, _spelled(text)) for kind, name, table, text in objects}
    return found | {("row", *row) for row in database.execute("SELECT kind, old, new FROM transitions")}


def _spelled(text: str) -> str:
    # A column that was added stands where it would in a new table, but for blanks.
    return re.sub(r" ?([(),]) ?", r"\1", " ".join(text.split()))


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_migrated_equals_fresh(tmp_path: Path, version: int) -> None:
    """A database of any released version, brought up to date, is the same as one created today."""
    with closing(connect(tmp_path / "old")) as old, closing(connect(tmp_path / "fresh")) as fresh:
        old.executescript((RELEASED / f"v{version}.sql").read_text())
        old.execute(f"PRAGMA user_version = {version}")
        bring_up_to_date(old)
        bring_up_to_date(fresh)
        assert shape(fresh) == shape(old)
        assert SCHEMA_VERSION == stored_version(fresh) == stored_version(old)


def test_what_was_there_stays(tmp_path: Path) -> None:
    """A table that is made anew keeps its rows, and the counts of them are not added up a second time."""
    with closing(connect(tmp_path / "old")) as old:
        old.executescript((RELEASED / "v3.sql").read_text())
        old.execute("PRAGMA user_version = 3")
        old.execute(
            "INSERT INTO submissions (id, patient, format, length, digest, state, received_at)"
            " VALUES (?, ?, 0, 1, ?, 'received', 0)",
            (bytes(16), bytes(32), bytes(32)),
        )
        old.execute(
            "INSERT INTO records (id, submission, ordinal, patient, format, length, digest, state, sealed_at)"
            " VALUES (?, ?, 0, ?, 0, 7, ?, 'sealed', 5)",
            (bytes(16), bytes(16), bytes(32), bytes(32)),
        )
        old.commit()
        bring_up_to_date(old)
        kept = old.execute("SELECT length, state, sealed_at, original, fingerprint FROM records").fetchall()
        tallies = old.execute("SELECT items, bytes FROM tallies WHERE kind = 'record'").fetchall()
        assert [(7, "sealed", 5, None, None)] == [tuple(row) for row in kept]
        assert [(1, 7)] == [tuple(row) for row in tallies]


def test_there_is_a_step_for_every_version() -> None:
    """No version lacks the step that leads to it."""
    assert set(range(2, SCHEMA_VERSION + 1)) == set(migrations())


def test_steps_run_in_order_and_only_the_missing_ones(tmp_path: Path) -> None:
    """Over two versions both steps run, the second after the first."""
    steps = {
        SCHEMA_VERSION + 1: "ALTER TABLE keys ADD COLUMN note TEXT; -- first",
        SCHEMA_VERSION + 2: "UPDATE keys SET note = 'seen'; CREATE INDEX keys_note ON keys (note);",
    }
    with closing(connect(tmp_path / "queue")) as database:
        bring_up_to_date(database)
        database.execute("INSERT INTO keys (id, wrapped) VALUES (x'00', x'01')")
        bring_up_to_date(database, version=SCHEMA_VERSION + 2, steps=steps)
        bring_up_to_date(database, version=SCHEMA_VERSION + 2, steps=dict.fromkeys(steps, "broken"))
        assert ("seen",) == tuple(database.execute("SELECT note FROM keys").fetchone())
        assert SCHEMA_VERSION + 2 == stored_version(database)


def test_failed_step_changes_nothing(tmp_path: Path) -> None:
    """A migration that breaks in the middle leaves the file as it was."""
    steps = {SCHEMA_VERSION + 1: "ALTER TABLE keys ADD COLUMN note TEXT; INSERT INTO nowhere VALUES (1);"}
    with closing(connect(tmp_path / "queue")) as database:
        bring_up_to_date(database)
        before = shape(database)
        with pytest.raises(sqlite3.OperationalError, match="nowhere"):
            bring_up_to_date(database, version=SCHEMA_VERSION + 1, steps=steps)
    with closing(connect(tmp_path / "queue")) as database:
        assert before == shape(database)
        assert SCHEMA_VERSION == stored_version(database)


def test_newer_file_is_refused(tmp_path: Path) -> None:
    """An old sidecar does not touch what a newer one wrote."""
    path = tmp_path / "queue"
    with closing(connect(path)) as database:
        bring_up_to_date(database)
        database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(ConfigInvalid, match="newer CareGrid"):
        SqliteDatabase.open(path)


async def test_commits_survive_power_loss(tmp_path: Path) -> None:
    """The writing connection syncs every commit, in write-ahead mode."""
    with closing(connect(tmp_path / "queue")) as database:
        pragmas = {
            name: database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
        }
    assert {"journal_mode": "wal", "synchronous": 2} == pragmas
