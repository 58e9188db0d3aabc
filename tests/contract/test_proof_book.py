"""Tags, rounds and the records of storage nodes, on each kind of database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest

from caregrid.chain.port import BlockRef, Event, FinalizedBlock, ProofScheme
from ocw_sidecar.adapters.sql import ledger, proofs
from ocw_sidecar.adapters.sql.clock import SqlBlockLog
from ocw_sidecar.adapters.sql.proofs import SqlProofBook
from ocw_sidecar.ledger.proofs import NodeRecord, ProofCounts, ProvedObject, Tagging

if TYPE_CHECKING:
    from ocw_sidecar.adapters.sql import Database

US, THEM = b"\x01" * 32, b"\x02" * 32
ONE, TWO, THREE, FOUR = (bytes([number]) * 32 for number in (0x10, 0x20, 0x30, 0x40))
NOW: Final = datetime(2026, 6, 1, tzinfo=UTC)
FRESH: Final = ProvedObject(object_id=ONE, round_at=0, public_at=0, risk=1000, open_at=None, misses=0)


class Book(SqlProofBook):
    """One that blocks are folded into."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._log = SqlBlockLog(database, organisation=US, now=lambda: NOW, folds=[ledger.fold, proofs.fold])
        self._height = 0

    async def take(self, name: str, object_id: bytes, custodian: bytes = US) -> None:
        """Take in a block with one event."""
        if self._height == 0:
            await self._log.begin(BlockRef(number=0, hash=bytes(32)), bytes(32))
        self._height += 1
        ref = BlockRef(number=self._height, hash=self._height.to_bytes(32, "big"))
        event = Event(pallet="Emr", name=name, fields={"object": object_id, "custodian": custodian})
        assert await self._log.advance(FinalizedBlock(ref=ref, events=[event]))


@pytest.fixture
async def book(database: Database) -> Book:
    """One with three objects of ours."""
    made = Book(database)
    for object_id in (ONE, TWO, THREE):
        await made.take("ObjectStored", object_id)
    await made.take("ObjectStored", FOUR, THEM)
    return made


async def due(book: Book, later: timedelta = timedelta()) -> list[Tagging]:
    """Return what is to be tagged."""
    return await book.due_taggings(10, now=NOW + later)


async def test_what_the_chain_has_is_to_be_tagged(book: Book) -> None:
    """Our own, until the chain gives it up; its lists go with it."""
    assert [Tagging(object_id=each, attempts=0) for each in (ONE, TWO, THREE)] == await due(book)
    await book.keep_tags(ONE, ProofScheme.PUBLIC, b"list")
    await book.take("ObjectRemoved", ONE)
    await book.end(TWO)
    assert [THREE] == [each.object_id for each in await due(book)]
    assert None is await book.tags(ONE, ProofScheme.PUBLIC)


async def test_taggings_come_again_until_they_are_done(book: Book) -> None:
    """Later where a node was silent; at once when they are wanted again."""
    await book.postpone_tagging(ONE, due=NOW + timedelta(minutes=1), reason="NODES_SILENT")
    await book.finish_tagging(TWO)
    assert [THREE] == [each.object_id for each in await due(book)]
    assert Tagging(object_id=ONE, attempts=1) in await due(book, timedelta(minutes=1))
    await book.tag_again(TWO, now=NOW)
    assert {TWO, THREE} == {each.object_id for each in await due(book)}


async def test_lists_of_both_schemes_are_kept(book: Book) -> None:
    """The last one of each."""
    await book.keep_tags(ONE, ProofScheme.PUBLIC, b"old")
    await book.keep_tags(ONE, ProofScheme.PUBLIC, b"public")
    await book.keep_tags(ONE, ProofScheme.PRIVATE, b"private")
    assert b"public" == await book.tags(ONE, ProofScheme.PUBLIC)
    assert b"private" == await book.tags(ONE, ProofScheme.PRIVATE)
    assert None is await book.tags(TWO, ProofScheme.PUBLIC)


async def test_objects_have_their_turn(book: Book) -> None:
    """By age or by risk, once a round, and none before the first round after its commitment."""
    for object_id, committed_at in ((ONE, 5), (TWO, 9), (THREE, 30)):
        await book.note_committed(object_id, committed_at)
    assert [ONE] == [each.object_id for each in await book.oldest_rounds(40, 10)]
    assert [ONE, TWO] == [each.object_id for each in await book.oldest_rounds(50, 10)]
    assert [TWO, THREE] == [each.object_id for each in await book.never_asked(40, 10)]
    await book.note_round(replace(FRESH, round_at=40, public_at=40, risk=10))
    assert [] == await book.oldest_rounds(45, 10)
    assert [TWO, ONE] == [each.object_id for each in await book.oldest_rounds(50, 2)]
    await book.note_round(replace(FRESH, object_id=TWO, round_at=40, risk=20))
    assert [TWO, ONE] == [each.object_id for each in await book.riskiest_rounds(50, 10)]
    assert (3, 2) == (await book.overdue(50, 10), await book.overdue(50, 2))
    assert (1, 0) == (await book.overdue(40, 10), await book.overdue(30, 10))


async def test_open_rounds(book: Book) -> None:
    """Until they are answered, or the commitment is another one."""
    await book.note_committed(ONE, 5)
    opened = replace(FRESH, round_at=50, open_at=40, misses=2)
    await book.note_round(opened)
    await book.note_committed(ONE, 5)
    assert [opened] == await book.open_rounds(10)
    assert ProofCounts(objects=3, proved=1, waiting=3, open=1) == await book.counts()
    await book.note_committed(ONE, 60)
    assert [] == await book.open_rounds(10)
    assert [replace(opened, open_at=None, misses=0)] == await book.oldest_rounds(200, 10)


async def test_records_of_nodes(book: Book) -> None:
    """The last word of each; of many those that were seen last; the worst first."""
    liar = NodeRecord(answers=3, condemned=1, silent=2, good=2_500, bad=40_000)
    await book.note_nodes({"a": NodeRecord(answers=1, good=1_000), "b": liar}, height=10, keep=3)
    await book.note_nodes({"a": NodeRecord(answers=2, good=1_950)}, height=20, keep=3)
    await book.note_nodes({"c": NodeRecord(silent=1, bad=500), "d": NodeRecord()}, height=30, keep=10)
    found = await book.nodes(["a", "b", "x"])
    assert {"a": NodeRecord(answers=2, good=1_950), "b": liar} == found
    assert ["b", "c", "a"] == list(await book.worst_nodes(3))
    await book.note_nodes({}, height=40, keep=3)
    assert {"a", "c", "d"} == set(await book.worst_nodes(10))
