"""Before an upgrade the file is copied; whatever goes wrong, the old data is there and usable."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections import namedtuple
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from caregrid.errors import DiskLow
from ocw_sidecar.adapters.sqlite import SqliteDatabase, database
from ocw_sidecar.adapters.sqlite.backup import KEPT, back_up
from ocw_sidecar.adapters.sqlite.connection import connect
from ocw_sidecar.adapters.sqlite.schema import stored_version
from ocw_sidecar.pipeline.migrations import SCHEMA_VERSION

V1 = (Path(__file__).parent / "schemas" / "v1.sql").read_text()
T0 = datetime(2030, 1, 1, tzinfo=UTC)
Usage = namedtuple("Usage", "total used free")  # noqa: PYI024  stands in for the system's


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file of version 1 with a key in it."""
    path = tmp_path / "queue.sqlite3"
    with closing(connect(path)) as connection:
        connection.executescript(V1)
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO keys (id, wrapped) VALUES (x'00', x'01')")
    return path


def keys_in(path: Path) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Return a file's version and keys."""
    with closing(sqlite3.connect(path)) as connection:
        return stored_version(connection), connection.execute("SELECT id, wrapped FROM keys").fetchall()


def copies(path: Path) -> list[Path]:
    """Return the copies beside a file."""
    return sorted((path.parent / "backups").iterdir())


async def test_upgrade_leaves_a_copy_of_the_old_file(old: Path) -> None:
    """The copy has the old version, all of its data, a name that says so, and is its owner's alone."""
    await SqliteDatabase.open(old).close()
    (copy,) = copies(old)
    assert (1, [(b"\x00", b"\x01")]) == keys_in(copy)
    assert (SCHEMA_VERSION, [(b"\x00", b"\x01")]) == keys_in(old)
    assert copy.name.endswith("Z-v1.sqlite3")
    assert 0o600 == stat.S_IMODE(copy.stat().st_mode)
    assert 0o700 == stat.S_IMODE(copy.parent.stat().st_mode)


async def test_present_and_new_files_are_not_copied(old: Path, tmp_path: Path) -> None:
    """Only an upgrade makes a copy: not a first start, nor the ones after it."""
    await SqliteDatabase.open(old).close()
    await SqliteDatabase.open(old).close()
    assert 1 == len(copies(old))
    fresh = tmp_path / "other" / "queue.sqlite3"
    fresh.parent.mkdir()
    await SqliteDatabase.open(fresh).close()
    assert not (fresh.parent / "backups").exists()


def test_failed_upgrade_leaves_the_old_file_usable(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration that breaks changes nothing; the old CareGrid can go on with the file, or with the copy."""

    def broken(connection: sqlite3.Connection) -> None:
        connection.executescript(
            "BEGIN; ALTER TABLE keys ADD COLUMN note TEXT; INSERT INTO nowhere VALUES (1);"
        )

    monkeypatch.setattr(database, "bring_up_to_date", broken)
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        SqliteDatabase.open(old)
    assert (1, [(b"\x00", b"\x01")]) == keys_in(old) == keys_in(copies(old)[0])


def test_full_disk_is_found_out_before(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without room for copy and migration nothing is begun, and the message says how much is needed."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1 << 30, 1 << 30, 1))
    with pytest.raises(DiskLow, match=r"upgrade needs .* MiB"):
        SqliteDatabase.open(old)
    assert (1, [(b"\x00", b"\x01")]) == keys_in(old)
    assert not (old.parent / "backups").exists()


def test_only_the_last_copies_are_kept(old: Path) -> None:
    """Copies are bounded; the oldest go, and what a crash left half done goes with them."""
    with closing(connect(old)) as connection:
        for day in range(KEPT + 2):
            back_up(connection, old, version=1, now=T0 + timedelta(days=day))
            (old.parent / "backups" / ".0123.part").write_bytes(b"left by a crash")
        back_up(connection, old, version=1, now=T0 + timedelta(days=KEPT + 2))
    expected = [f"queue-203001{day:02}T000000Z-v1.sqlite3" for day in range(4, KEPT + 4)]
    assert expected == [copy.name for copy in copies(old)]
