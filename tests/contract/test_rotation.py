"""Wrapping everything anew, on each kind of database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from caregrid.errors import KeyStoreUnreachable
from caregrid.testing import MemoryKeyStore
from ocw_sidecar.adapters.sql.rotation import SqlWrappedKeys
from ocw_sidecar.pipeline.rotation import PAGE, Shelf, Swap, WrappedRow, is_finished, rewrap_everything
from tests.wrapped_rows import DELETE_KEY, INSERT_KEY, SET_KEY, an_id, data_key, fill, opened, wrapped_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ocw_sidecar.adapters.sql import Database
    from tests.wrapped_rows import Filled

RECORDS = 2 * PAGE + 10
ALL = RECORDS + 3 + 1 + 2


class Meddling(MemoryKeyStore):
    """Does something just before each batch is wrapped anew, while its rows are read already."""

    def __init__(self, meddle: Callable[[int], None]) -> None:
        super().__init__()
        self._meddle, self.batches = meddle, 0

    def rewrap_all(self, kept: Sequence[tuple[bytes, bytes]]) -> list[bytes | None]:
        """Meddle first."""
        self.batches += 1
        self._meddle(self.batches)
        return super().rewrap_all(kept)


def nothing(*_: object) -> None:
    """Take anything."""


@pytest.fixture
def store() -> MemoryKeyStore:
    """Give a key store."""
    return MemoryKeyStore()


@pytest.fixture
async def filled(database: Database, store: MemoryKeyStore) -> Filled:
    """Give a database with more than two pages of keys under version 1."""
    return await fill(database, store, records=RECORDS)


async def test_everything_is_wrapped_by_the_new_version(
    database: Database, store: MemoryKeyStore, filled: Filled
) -> None:
    """No table is left out, no data key changes, and without the old version all of it opens."""
    keys, told = SqlWrappedKeys(database), list[tuple[int, int]]()
    assert await is_finished(keys, store)
    store.rotate()
    assert not await is_finished(keys, store)
    done = await rewrap_everything(keys, store, lambda seen, total: told.append((seen, total)))
    assert (2, ALL, 0) == (done.version, done.changed, done.left)
    assert {2} == {store.version_of(each) for each in (await wrapped_rows(database)).values()}
    store.retire(1)
    assert [filled.keys] == await opened(database, [store])
    assert await is_finished(keys, store)
    assert ((ALL, ALL), True) == (max(told), all(seen <= total for seen, total in told))


async def test_a_second_run_changes_nothing(
    database: Database, store: MemoryKeyStore, filled: Filled
) -> None:
    """What is wrapped by the newest version stays byte for byte."""
    store.rotate()
    await rewrap_everything(SqlWrappedKeys(database), store, nothing)
    before = await wrapped_rows(database)
    done = await rewrap_everything(SqlWrappedKeys(database), store, nothing)
    assert (0, 0, before) == (done.changed, done.left, await wrapped_rows(database))
    assert set(filled.keys) == set(before)


async def test_a_run_that_failed_is_gone_on_with(database: Database) -> None:
    """A key store that goes away leaves whole pages done; the next run does the others."""

    def fails(batch: int) -> None:
        if batch == 3:
            raise KeyStoreUnreachable

    store = Meddling(fails)
    filled = await fill(database, store, records=RECORDS)
    store.rotate()
    with pytest.raises(KeyStoreUnreachable):
        await rewrap_everything(SqlWrappedKeys(database), store, nothing)
    half = [store.version_of(each) for each in (await wrapped_rows(database)).values()]
    assert 2 + PAGE == half.count(2)
    assert [filled.keys] == await opened(database, [store])
    done = await rewrap_everything(SqlWrappedKeys(database), store, nothing)
    assert (ALL - half.count(2), 0) == (done.changed, done.left)
    assert await is_finished(SqlWrappedKeys(database), store)


async def test_what_is_erased_meanwhile_stays_erased(database: Database) -> None:
    """A row that went, or changed, after it was read is not written back; a new one is found."""
    fresh = bytes(range(32))
    loop = asyncio.get_running_loop()

    old = MemoryKeyStore()

    def meddle(batch: int) -> None:
        async def change() -> None:
            def work(db: Any) -> None:
                db.execute(DELETE_KEY, {"id": an_id(0)})
                db.execute(SET_KEY, {"id": an_id(1), "wrapped": old.wrap(an_id(1), fresh)})
                db.execute(INSERT_KEY, {"id": an_id(5000), "wrapped": old.wrap(an_id(5000), fresh)})

            await database.write(work)

        if batch == 2:
            asyncio.run_coroutine_threadsafe(change(), loop).result(30)

    store = Meddling(meddle)
    filled = await fill(database, store, records=PAGE)
    old._held = store._held  # a process that has not looked since
    store.rotate()
    done = await rewrap_everything(SqlWrappedKeys(database), store, nothing)
    del filled.keys[Shelf.RECORDS, an_id(0)]
    filled.keys[Shelf.RECORDS, an_id(1)] = filled.keys[Shelf.RECORDS, an_id(5000)] = fresh
    assert 0 == done.left
    assert [filled.keys] == await opened(database, [store])
    assert {2} == {store.version_of(each) for each in (await wrapped_rows(database)).values()}


async def test_what_does_not_open_is_counted_and_left(
    database: Database, store: MemoryKeyStore, filled: Filled
) -> None:
    """A damaged row, or one of another master key, holds up none of the others."""
    damaged = MemoryKeyStore().wrap(an_id(7), bytes(32))
    await database.write(
        lambda db: [db.execute(SET_KEY, {"id": an_id(n), "wrapped": damaged}).rowcount for n in (7, 140)]
    )
    store.rotate()
    done = await rewrap_everything(SqlWrappedKeys(database), store, nothing)
    assert (ALL - 2, 2) == (done.changed, done.left)
    assert not await is_finished(SqlWrappedKeys(database), store)
    rows = await wrapped_rows(database)
    assert [damaged] * 2 == [rows[Shelf.RECORDS, an_id(number)] for number in (7, 140)]
    assert data_key(Shelf.RECORDS, 8) == store.unwrap(an_id(8), rows[Shelf.RECORDS, an_id(8)])
    assert filled.keys


async def test_two_runs_at_once_do_not_get_in_each_others_way(
    database: Database, store: MemoryKeyStore, filled: Filled
) -> None:
    """Each row is changed by one of them."""
    store.rotate()
    keys = SqlWrappedKeys(database)
    both = await asyncio.gather(*[rewrap_everything(keys, store, nothing) for _ in range(2)])
    assert (ALL, {0}) == (sum(each.changed for each in both), {each.left for each in both})
    assert [filled.keys] == await opened(database, [store])


async def test_a_row_is_swapped_only_as_it_was_read(database: Database, store: MemoryKeyStore) -> None:
    """On every table, and never one that is not there."""
    await fill(database, store, records=1)
    keys = SqlWrappedKeys(database)
    for (shelf, key_id), wrapped in (await wrapped_rows(database)).items():
        stale = Swap(WrappedRow(key_id, wrapped + b"\0"), b"new")
        assert (0, 1) == (
            await keys.swap(shelf, [stale]),
            await keys.swap(shelf, [Swap(WrappedRow(key_id, wrapped), b"new")]),
        )
    assert {b"new"} == set((await wrapped_rows(database)).values())
