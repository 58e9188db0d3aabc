"""Troubles and removals of stored objects, on each kind of database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest

from caregrid.chain.port import BlockRef, Event, FinalizedBlock
from ocw_sidecar.adapters.sql import storage
from ocw_sidecar.adapters.sql.clock import SqlBlockLog
from ocw_sidecar.adapters.sql.storage import SqlStorageBook
from ocw_sidecar.ledger.storage import Removal, StorageTrouble

if TYPE_CHECKING:
    from ocw_sidecar.adapters.sql import Database

US, THEM = b"\x01" * 32, b"\x02" * 32
ONE, TWO, THREE = (bytes([number]) * 32 for number in (0x10, 0x20, 0x30))
NOW: Final = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def book(database: Database) -> SqlStorageBook:
    """An empty one."""
    return SqlStorageBook(database)


class Chain:
    """Takes blocks in as the clock does."""

    def __init__(self, database: Database) -> None:
        self.log = SqlBlockLog(
            database, organisation=US, now=lambda: NOW, folds=[storage.fold], forgets=[storage.forget]
        )
        self.height = 0

    async def take(self, name: str, object_id: bytes, custodian: bytes = US) -> None:
        """Take in a block with one event."""
        if self.height == 0:
            await self.log.begin(BlockRef(number=0, hash=bytes(32)), bytes(32))
        self.height += 1
        ref = BlockRef(number=self.height, hash=self.height.to_bytes(32, "big"))
        event = Event(pallet="Emr", name=name, fields={"object": object_id, "custodian": custodian})
        assert await self.log.advance(FinalizedBlock(ref=ref, events=[event]))


@pytest.fixture
def chain(database: Database) -> Chain:
    """One that was not followed yet."""
    return Chain(database)


async def due(book: SqlStorageBook, *, later: timedelta = timedelta()) -> list[Removal]:
    """Return the removals that are due."""
    return await book.due_removals(10, now=NOW + later)


async def test_trouble_keeps_its_beginning_until_it_ends(book: SqlStorageBook) -> None:
    """A second look changes nothing of it; a sound one ends it, and the next trouble begins anew."""
    await book.note_looks(troubled=[ONE], sound=[TWO], height=100)
    await book.note_looks(troubled=[ONE, THREE], sound=[], height=200)
    await book.note_repair(ONE, 200)
    expected = {
        ONE: StorageTrouble(object_id=ONE, since=100, repaired_at=200),
        THREE: StorageTrouble(object_id=THREE, since=200),
    }
    assert expected == await book.troubles([ONE, TWO, THREE])
    await book.note_looks(troubled=[], sound=[ONE], height=300)
    await book.note_looks(troubled=[ONE], sound=[], height=400)
    assert {ONE: StorageTrouble(object_id=ONE, since=400)} == await book.troubles([ONE])
    assert (2, 0) == await book.counts()


async def test_those_in_trouble_take_turns(book: SqlStorageBook) -> None:
    """Those that have not been looked at for longest come first."""
    await book.note_looks(troubled=[ONE, TWO, THREE], sound=[], height=100)
    await book.note_looks(troubled=[ONE], sound=[], height=200)
    assert [TWO, THREE] == [each.object_id for each in await book.longest_troubled(2)]


async def test_what_the_chain_gives_up_is_to_be_removed(book: SqlStorageBook, chain: Chain) -> None:
    """Of our own objects; its trouble is over, too."""
    await book.note_looks(troubled=[ONE], sound=[], height=0)
    await chain.take("ObjectRemoved", ONE)
    await chain.take("ObjectRemoved", TWO, custodian=THEM)
    assert [Removal(object_id=ONE, removed_at=1, attempts=0)] == await due(book)
    assert (0, 1) == await book.counts()


async def test_an_object_that_is_anchored_again_stays(book: SqlStorageBook, chain: Chain) -> None:
    """What the chain has is never to be removed."""
    await chain.take("ObjectRemoved", ONE)
    await chain.take("ObjectStored", ONE, custodian=THEM)
    assert 1 == len(await due(book))
    await chain.take("ObjectStored", ONE)
    assert [] == await due(book)


async def test_a_removal_that_fails_comes_again(book: SqlStorageBook, chain: Chain) -> None:
    """Later, with its attempts counted, until it is done."""
    await chain.take("ObjectRemoved", ONE)
    await book.postpone_removal(ONE, due=NOW + timedelta(minutes=1), reason="STORAGE_UNREACHABLE")
    assert [] == await due(book)
    assert [1] == [each.attempts for each in await due(book, later=timedelta(minutes=1))]
    await book.finish_removal(ONE)
    assert [] == await due(book, later=timedelta(days=1))


async def test_a_rebuild_forgets_no_removal(book: SqlStorageBook, chain: Chain) -> None:
    """Troubles are found again by looking; a removal's event lies in the past."""
    await chain.take("ObjectRemoved", ONE)
    await book.note_looks(troubled=[TWO], sound=[], height=1)
    await chain.log.forget()
    assert (0, 1) == await book.counts()
