"""The one thread that writes."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from caregrid.errors import DiskLow
from ocw_sidecar.adapters.sql.inbox import MAX_GROUP, Bulk
from ocw_sidecar.adapters.sqlite.connection import connect
from ocw_sidecar.adapters.sqlite.writer import Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    SqlWriter = Writer[sqlite3.Connection]


@pytest.fixture
def database(tmp_path: Path) -> sqlite3.Connection:
    """A connection with one empty table; the writer closes it."""
    connection = connect(tmp_path / "queue")
    connection.execute("CREATE TABLE numbers (number INTEGER PRIMARY KEY, filler BLOB)")
    return connection


@pytest.fixture
async def writer(database: sqlite3.Connection) -> AsyncIterator[SqlWriter]:
    """A writer on that connection."""
    opened = Writer(database, database)
    yield opened
    await opened.close()


def insert(number: int, filler: int = 0) -> Callable[[sqlite3.Connection], int]:
    """Return work that inserts a row."""

    def work(db: sqlite3.Connection) -> int:
        db.execute("INSERT INTO numbers VALUES (?, zeroblob(?))", (number, filler))
        return number

    return work


async def count(writer: SqlWriter) -> int:
    """Return the number of rows."""
    return await writer.run(lambda db: int(db.execute("SELECT count(*) FROM numbers").fetchone()[0]))


async def test_waiting_writes_share_a_commit(writer: SqlWriter, database: sqlite3.Connection) -> None:
    """Whatever piles up behind one fsync is written with the next, up to a bound."""
    statements: list[str] = []
    gate = threading.Event()
    database.set_trace_callback(statements.append)
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.run(lambda _: gate.wait(10)))
        await asyncio.sleep(0.05)
        waiting = [group.create_task(writer.run(insert(number))) for number in range(MAX_GROUP + 1)]
        await asyncio.sleep(0.05)
        gate.set()
    assert list(range(MAX_GROUP + 1)) == [task.result() for task in waiting]
    assert 3 == statements.count("COMMIT")


async def test_failing_work_is_undone_alone(writer: SqlWriter) -> None:
    """A write that raises takes nothing of its neighbours with it, nor leaves anything of itself."""

    def half(db: sqlite3.Connection) -> None:
        insert(100)(db)
        raise ValueError("half done")

    results = await asyncio.gather(
        writer.run(insert(1)), writer.run(half), writer.run(insert(2)), return_exceptions=True
    )
    assert [1, 2] == [results[0], results[2]]
    assert isinstance(results[1], ValueError)
    assert 2 == await count(writer)


async def test_full_disk_is_said_so_and_undone(writer: SqlWriter, database: sqlite3.Connection) -> None:
    """Without room a write fails as DiskLow, what was there stays, and writing goes on when there is room."""
    await writer.run(insert(1))
    pages = await writer.run(lambda db: int(db.execute("PRAGMA page_count").fetchone()[0]))
    await writer.run(lambda db: db.execute(f"PRAGMA max_page_count = {pages + 2}").fetchone()[0])
    with pytest.raises(DiskLow):
        await writer.run(insert(2, filler=100_000))
    assert 1 == await count(writer)
    assert not database.in_transaction
    await writer.run(lambda db: db.execute("PRAGMA max_page_count = 100000").fetchone()[0])
    await writer.run(insert(2, filler=100_000))
    assert 2 == await count(writer)


async def test_close_writes_what_is_waiting(database: sqlite3.Connection, tmp_path: Path) -> None:
    """Nothing that was handed over before the end is dropped."""
    writer = Writer(database, database)
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(writer.run(insert(number)))
        await asyncio.sleep(0)
        await writer.close()
    reopened = connect(tmp_path / "queue")
    assert (20,) == tuple(reopened.execute("SELECT count(*) FROM numbers").fetchone())
    reopened.close()


def insert_all(db: sqlite3.Connection, numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Insert rows; return each number with how many came in its call."""
    for number in numbers:
        db.execute("INSERT INTO numbers VALUES (?, NULL)", (number,))
    return [(number, len(numbers)) for number in numbers]


async def test_bulk_works_are_one_call(writer: SqlWriter) -> None:
    """What waits at once with the same function is given to it at once, and each gets its own outcome."""
    gate = threading.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.run(lambda _: gate.wait(10)))
        await asyncio.sleep(0.05)
        bulk = [group.create_task(writer.run(Bulk(insert_all, number))) for number in range(5)]
        single = group.create_task(writer.run(insert(9)))
        await asyncio.sleep(0.05)
        gate.set()
    assert [(number, 5) for number in range(5)] == [task.result() for task in bulk]
    assert 9 == single.result()


async def test_one_bad_bulk_work_stops_no_other(writer: SqlWriter) -> None:
    """A call that fails is undone, and made again for each."""
    await writer.run(insert(2))
    gate = threading.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.run(lambda _: gate.wait(10)))
        await asyncio.sleep(0.05)
        tasks = [group.create_task(outcome(writer, number)) for number in (1, 2, 3)]
        await asyncio.sleep(0.05)
        gate.set()
    assert [(1, 1), "IntegrityError", (3, 1)] == [task.result() for task in tasks]
    assert 3 == await count(writer)


async def outcome(writer: SqlWriter, number: int) -> tuple[int, int] | str:
    """Insert in bulk; return what came of it."""
    try:
        return await writer.run(Bulk(insert_all, number))
    except sqlite3.IntegrityError as exc:
        return type(exc).__name__
