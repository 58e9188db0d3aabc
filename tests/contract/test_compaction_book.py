"""What compaction keeps, on each kind of database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest

from caregrid.chain.port import BlockRef, Event, FinalizedBlock, Grant, Inline, RecordScope
from caregrid.records import RecordEntry, RecordFormat
from ocw_sidecar.adapters.sql import compaction_fold
from ocw_sidecar.adapters.sql.clock import SqlBlockLog
from ocw_sidecar.adapters.sql.compaction import SqlCompactionBook
from ocw_sidecar.adapters.sql.ledger import SqlLedger
from ocw_sidecar.adapters.sql.storage import SqlStorageBook
from ocw_sidecar.ledger.items import Snapshot
from ocw_sidecar.pipeline.compaction import CompactionState, ErasedFrom, ResealRequest, Transfer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocw_sidecar.adapters.sql import Database

US, THEM = b"\x01" * 32, b"\x02" * 32
ONE, TWO, NEW, ROOT = (bytes([number]) * 32 for number in (0x10, 0x20, 0x30, 0x40))
PLAN, OTHER = b"\x0a" * 16, b"\x0b" * 16
NOW: Final = datetime(2026, 6, 1, tzinfo=UTC)
LATER: Final = NOW + timedelta(hours=1)


@pytest.fixture
def book(database: Database) -> SqlCompactionBook:
    """An empty one."""
    return SqlCompactionBook(database)


class Chain:
    """Takes blocks in as the clock does."""

    def __init__(self, database: Database) -> None:
        self.log = SqlBlockLog(
            database, organisation=US, now=lambda: NOW, folds=[compaction_fold.fold], forgets=[]
        )
        self.height = 0

    async def take(self, name: str, **fields: bytes) -> None:
        """Take in a block with one event."""
        if self.height == 0:
            await self.log.begin(BlockRef(number=0, hash=bytes(32)), bytes(32))
        self.height += 1
        ref = BlockRef(number=self.height, hash=self.height.to_bytes(32, "big"))
        event = Event(pallet="Emr", name=name, fields={"custodian": US, **fields})
        assert await self.log.advance(FinalizedBlock(ref=ref, events=[event]))


@pytest.fixture
def chain(database: Database) -> Chain:
    """One that was not followed yet."""
    return Chain(database)


def record_id(number: int) -> bytes:
    """Return the id of a record."""
    return bytes([number]) * 16


def transfers(numbers: Sequence[int], source: bytes = ONE, *, wrapped: bytes | None = None) -> list[Transfer]:
    """Return a plan that takes records of ten bytes each out of an object."""
    return [
        Transfer(
            source=source,
            source_offset=100 * number,
            source_digest=bytes([number]) * 32,
            target=RecordEntry(
                record_id=record_id(number),
                patient_id=THEM,
                offset=10 * place,
                length=10,
                digest=bytes([number]) * 32,
                format=RecordFormat.DICOM,
            ),
            wrapped_key=wrapped,
        )
        for place, number in enumerate(numbers)
    ]


async def due(book: SqlCompactionBook, now: datetime = NOW) -> list[bytes]:
    """Return the ids of objects that are due."""
    return [each.object_id for each in await book.due_objects(10, now=now)]


async def stored(
    book: SqlCompactionBook, planned: Sequence[Transfer], *, compaction_id: bytes = PLAN
) -> None:
    """Bring a plan as far as storage."""
    assert await book.plan(compaction_id, planned, now=NOW)
    await book.finish_assembly(compaction_id, object_id=NEW, manifest_root=ROOT, resealed={}, now=NOW)
    await book.finish_storing(compaction_id, now=NOW)


async def test_what_is_erased_or_left_is_noted(book: SqlCompactionBook, chain: Chain) -> None:
    """Of our own objects, until the chain has given them up."""
    await chain.take("RecordErased", object=ONE, record=record_id(1))
    await chain.take("RecordMoved", **{"from": TWO, "object": NEW, "record": record_id(2)})
    await chain.take("RecordErased", object=NEW, record=record_id(3), custodian=THEM)
    assert [ONE, TWO] == await due(book)
    assert [ErasedFrom(object_id=ONE, erased_at=NOW, attempts=0)] == await book.due_objects(1, now=NOW)
    await chain.take("ObjectRemoved", object=ONE)
    assert [TWO] == await due(book)
    assert 1 == await book.count_objects()


async def test_a_failed_object_waits_and_one_that_was_too_small_does_not(
    book: SqlCompactionBook, chain: Chain
) -> None:
    """More that is erased has an object looked at again, unless its attempts fail."""
    for each in (ONE, TWO):
        await chain.take("RecordErased", object=each, record=record_id(1))
    await book.postpone_object(ONE, due=LATER, reason="NOT_YET", failed=False)
    await book.postpone_object(TWO, due=LATER, reason="OBJECT_UNKNOWN", failed=True)
    assert [] == await due(book)
    assert (0, 1, 0) == tuple([await book.attempts_at(each) for each in (ONE, TWO, NEW)])
    for each in (ONE, TWO):
        await chain.take("RecordErased", object=each, record=record_id(2))
    assert [ONE] == await due(book)
    assert [ONE, TWO] == await due(book, LATER)
    await book.forget_object(ONE)
    await book.note_erased([ONE, TWO], now=NOW)
    assert [ONE] == await due(book)


async def test_a_plan_reads_as_it_was_written(book: SqlCompactionBook) -> None:
    """By offset, with everything that a later process needs to go on."""
    planned = transfers([3, 1, 2])
    assert await book.plan(PLAN, planned, now=NOW)
    assert planned == await book.transfers(PLAN)
    [plan] = await book.due_compactions(10, now=NOW)
    assert (PLAN, CompactionState.PLANNED, 30, 3, None) == (
        plan.compaction_id,
        plan.state,
        plan.size,
        plan.record_count,
        plan.object_id,
    )
    assert [plan] == await book.open_compactions()


async def test_a_record_is_in_one_plan_only(book: SqlCompactionBook) -> None:
    """The second plan is refused whole, and its object is not due while the first is open."""
    await book.note_erased([ONE, TWO], now=NOW)
    assert await book.plan(PLAN, transfers([1, 2]), now=NOW)
    assert not await book.plan(OTHER, transfers([3, 2], TWO), now=NOW)
    assert [PLAN] == [each.compaction_id for each in await book.open_compactions()]
    assert [TWO] == await due(book)
    await book.drop(PLAN)
    assert [ONE, TWO] == await due(book)
    assert await book.plan(OTHER, transfers([3, 2], TWO), now=NOW)


async def test_a_compaction_goes_its_way_once(book: SqlCompactionBook, database: Database) -> None:
    """Each step from the one before it; while it is open its object is under way, and it is not dropped."""
    storage = SqlStorageBook(database)
    assert await book.plan(PLAN, transfers([1, 2]), now=NOW)
    await book.finish_storing(PLAN, now=NOW)
    assert [CompactionState.PLANNED] == [each.state for each in await book.open_compactions()]
    await book.finish_assembly(PLAN, object_id=NEW, manifest_root=ROOT, resealed={}, now=NOW)
    await book.finish_assembly(PLAN, object_id=TWO, manifest_root=ROOT, resealed={}, now=NOW)
    await book.postpone(PLAN, due=LATER, reason="STORAGE_UNREACHABLE")
    await book.drop(PLAN)
    assert await storage.is_under_way(NEW)
    [plan] = await book.open_compactions()
    assert (CompactionState.ASSEMBLED, NEW, ROOT, 1) == (
        plan.state,
        plan.object_id,
        plan.manifest_root,
        plan.attempts,
    )
    assert [] == await book.due_compactions(10, now=NOW)
    await book.finish_storing(PLAN, now=NOW)
    assert [(CompactionState.STORED, 0)] == [
        (each.state, each.attempts) for each in await book.due_compactions(10, now=NOW)
    ]
    for _ in range(2):
        await book.finish(PLAN, moved={record_id(1), record_id(2)}, now=NOW)
    assert [] == await book.open_compactions()
    assert [] == await book.transfers(PLAN)
    assert not await storage.is_under_way(NEW)
    assert [] == await storage.due_removals(10, now=NOW)
    assert [] == await due(book)


async def test_what_was_left_out_is_compacted_in_turn(book: SqlCompactionBook) -> None:
    """The new object has bytes in it that nobody needs."""
    await stored(book, transfers([1, 2]))
    await book.finish(PLAN, moved={record_id(1)}, now=NOW)
    assert [NEW] == await due(book)


async def test_an_object_for_nothing_is_removed(book: SqlCompactionBook, database: Database) -> None:
    """No record lies in it."""
    await stored(book, transfers([1, 2]))
    await book.finish(PLAN, moved=set(), now=NOW)
    assert [NEW] == [each.object_id for each in await SqlStorageBook(database).due_removals(10, now=NOW)]
    assert [] == await due(book)


async def test_a_lost_file_is_planned_again(book: SqlCompactionBook, database: Database) -> None:
    """What may lie in storage of it is to be removed; a stored object stays."""
    assert await book.plan(PLAN, transfers([1]), now=NOW)
    await book.finish_assembly(PLAN, object_id=NEW, manifest_root=ROOT, resealed={}, now=NOW)
    for _ in range(2):
        await book.assemble_again(PLAN, now=NOW)
    assert [(CompactionState.PLANNED, None)] == [
        (each.state, each.object_id) for each in await book.open_compactions()
    ]
    assert [NEW] == [each.object_id for each in await SqlStorageBook(database).due_removals(10, now=NOW)]
    await stored_again(book)
    await book.assemble_again(PLAN, now=NOW)
    assert [CompactionState.STORED] == [each.state for each in await book.open_compactions()]


async def stored_again(book: SqlCompactionBook) -> None:
    """Bring the plan as far as storage once more."""
    await book.finish_assembly(PLAN, object_id=NEW, manifest_root=ROOT, resealed={}, now=NOW)
    await book.finish_storing(PLAN, now=NOW)


async def test_a_wish_waits_until_it_is_fulfilled(book: SqlCompactionBook) -> None:
    """Asking twice is asking once; one that is done can be asked for anew, and is forgotten after a while."""
    wanted = record_id(1)
    await book.ask_reseal(wanted, NOW)
    await book.ask_reseal(wanted, LATER)
    request = ResealRequest(record_id=wanted, asked_at=NOW, done_at=None, attempts=0, reason=None)
    assert [request] == await book.due_reseals(10, now=NOW)
    assert await book.plan(PLAN, transfers([1], wrapped=b"new"), now=NOW)
    assert [] == await book.due_reseals(10, now=NOW)
    digest = b"\x77" * 32
    await book.finish_assembly(PLAN, object_id=NEW, manifest_root=ROOT, resealed={wanted: digest}, now=NOW)
    assert [(b"new", digest)] == [
        (each.wrapped_key, each.target.digest) for each in await book.transfers(PLAN)
    ]
    await book.finish_storing(PLAN, now=NOW)
    await book.finish(PLAN, moved={wanted}, now=LATER)
    done = await book.reseal_request(wanted)
    assert done is not None
    assert LATER == done.done_at
    await book.purge_reseals(before=LATER)
    assert done == await book.reseal_request(wanted)
    await book.ask_reseal(wanted, LATER)
    assert [LATER] == [each.asked_at for each in await book.due_reseals(10, now=LATER)]
    await book.drop_reseal(wanted)
    assert await book.reseal_request(wanted) is None


async def test_a_wish_that_fails_comes_again(book: SqlCompactionBook) -> None:
    """Later, with its reason, for as long as it takes."""
    await book.ask_reseal(record_id(1), NOW)
    await book.postpone_reseal(record_id(1), due=LATER, reason="KEY_STORE_LOCKED")
    assert [] == await book.due_reseals(10, now=NOW)
    [request] = await book.due_reseals(10, now=LATER)
    assert (1, "KEY_STORE_LOCKED") == (request.attempts, request.reason)


async def test_an_erasure_destroys_the_new_key(book: SqlCompactionBook, chain: Chain) -> None:
    """Where the record was being sealed anew, and the wish goes along."""
    await book.ask_reseal(record_id(1), NOW)
    await book.ask_reseal(record_id(2), NOW)
    assert await book.plan(PLAN, transfers([1, 2], wrapped=b"new"), now=NOW)
    await chain.take("RecordErased", object=ONE, record=record_id(1))
    assert [None, b"new"] == [each.wrapped_key for each in await book.transfers(PLAN)]
    assert await book.reseal_request(record_id(1)) is None
    assert await book.reseal_request(record_id(2)) is not None


async def test_the_key_changes_with_the_block(
    book: SqlCompactionBook, chain: Chain, database: Database
) -> None:
    """As soon as the chain is known to have the new bytes, whether or not the worker still lives; once."""
    ledger = SqlLedger(database)
    grants = [grant_on(number) for number in (1, 2)]
    await ledger.restore(Snapshot(grants=grants), height=1, now=NOW)
    await book.ask_reseal(record_id(1), NOW)
    await stored(book, transfers([1, 2], wrapped=b"new"))
    await chain.take("RecordMoved", **{"from": ONE, "object": TWO, "record": record_id(1)})
    assert [b"new", b"new"] == [each.wrapped_key for each in await book.transfers(PLAN)]
    await chain.take("RecordMoved", **{"from": ONE, "object": NEW, "record": record_id(1)})
    assert [None, b"new"] == [each.wrapped_key for each in await book.transfers(PLAN)]
    done = await book.reseal_request(record_id(1))
    assert done is not None
    assert NOW == done.done_at
    [due_again] = await ledger.pending(now=NOW, limit=10)
    assert (RecordScope(record_id=record_id(1)), True) == (due_again.scope, bool(due_again.wave))
    await book.finish(PLAN, moved={record_id(1), record_id(2)}, now=LATER)
    waves = {each.scope: each.wave for each in await ledger.pending(now=NOW, limit=10)}
    assert due_again.wave == waves[due_again.scope]
    assert 2 == len(waves)


def grant_on(number: int) -> Grant:
    """Return a grant on a record, whose key is in it."""
    return Grant(
        scope=RecordScope(record_id=record_id(number)),
        grantee=THEM,
        granted_at=1,
        payer=THEM,
        expires_at=1_000,
        purpose="Treatment",
        key=Inline(wrapped=b"old", key_version=1),
    )
