"""What is kept of erasures, on each kind of database."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from caregrid.erasures import ReasonCode
from ocw_sidecar.adapters.sql.erasure import SqlErasureBook
from ocw_sidecar.pipeline.erasure import ORIGIN, Cause, ErasureState, receipt_digest
from tests.wrapped_rows import INSERT_KEY

if TYPE_CHECKING:
    from ocw_sidecar.adapters.sql import Database

T0: Final = datetime(2030, 1, 1, tzinfo=UTC)
RECORD: Final = bytes(range(16))
OBJECT: Final = b"\x0b" * 32


async def put_key(database: Database, record: bytes = RECORD) -> None:
    """Keep a key of a record, as an accepted one has."""
    await database.write(lambda db: db.execute(INSERT_KEY, {"id": record, "wrapped": b"wrapped"}).rowcount)


async def facts(book: SqlErasureBook, record: bytes = RECORD) -> list[dict[str, Any]]:
    """Return what a record's receipts say."""
    return [json.loads(each.body) for each in await book.receipts(record)]


async def test_a_decision_destroys_in_its_own_transaction(database: Database) -> None:
    """The key is gone with it; a second decision finds nothing, one after a restored key destroys that."""
    book = SqlErasureBook(database)
    await put_key(database)
    assert await book.is_held(RECORD)
    assert [RECORD] == await book.undone([RECORD])
    first = await book.decide(RECORD, cause=Cause.ASKED, code=ReasonCode.LEGAL_ORDER, now=T0)
    assert (True, True, False) == (first.fresh, first.destroyed, await book.is_held(RECORD))
    assert [] == await book.undone([RECORD])
    second = await book.decide(RECORD, cause=Cause.CHAIN, now=T0)
    assert (False, False) == (second.fresh, second.destroyed)
    await put_key(database)
    assert [RECORD] == await book.undone([RECORD])
    third = await book.decide(RECORD, cause=Cause.LIST, now=T0)
    assert (False, True) == (third.fresh, third.destroyed)
    assert [("asked", "legal-order"), ("list", None)] == [
        (each["cause"], each.get("code")) for each in await facts(book)
    ]


async def test_an_erasure_goes_through_its_states(database: Database) -> None:
    """Each step writes its receipt once; none goes back."""
    book = SqlErasureBook(database)
    await book.decide(RECORD, cause=Cause.ASKED, now=T0)
    await book.note_gone(RECORD, now=T0)
    await book.note_place(RECORD, OBJECT)
    for _ in range(2):
        await book.note_erased(RECORD, block=7, object_id=OBJECT, now=T0)
    await book.note_place(RECORD, bytes(32))
    found = await book.erasure(RECORD)
    assert found is not None
    assert (ErasureState.ERASED, OBJECT) == (found.state, found.object_id)
    for _ in range(2):
        await book.note_gone(RECORD, now=T0)
    assert ["keys_destroyed", "erased", "bytes_gone"] == [each["step"] for each in await facts(book)]
    assert [] == await book.due(9, now=T0 + timedelta(days=1))


async def test_a_place_that_was_unknown_can_be_noted_later(database: Database) -> None:
    """Of a record that a restored database found erased; what is known does not change."""
    book = SqlErasureBook(database)
    await book.decide(RECORD, cause=Cause.LIST, now=T0)
    await book.note_erased(RECORD, block=7, now=T0)
    for place in (OBJECT, bytes(32)):
        await book.note_place(RECORD, place)
    found = await book.erasure(RECORD)
    assert found is not None
    assert OBJECT == found.object_id


async def test_a_call_that_is_noted_after_its_block_still_has_its_hash(database: Database) -> None:
    """The block may be taken in before the worker hears of its own call."""
    book = SqlErasureBook(database)
    await book.decide(RECORD, cause=Cause.ASKED, now=T0)
    await book.note_erased(RECORD, block=7, object_id=OBJECT, now=T0)
    await book.note_erased(RECORD, block=7, object_id=OBJECT, call=b"\x0c" * 32, now=T0)
    assert [None, None, "0c" * 32] == [each.get("call") for each in await facts(book)]


async def test_what_is_put_off_is_due_later(database: Database) -> None:
    """With its reason, behind what is due before it."""
    book = SqlErasureBook(database)
    other = bytes(16)
    for record in (RECORD, other):
        await book.decide(record, cause=Cause.ASKED, now=T0)
    await book.postpone(RECORD, due=T0 + timedelta(hours=1), reason="TIMEOUT")
    assert [other] == [each.record_id for each in await book.due(9, now=T0)]
    late = await book.due(9, now=T0 + timedelta(hours=1))
    assert [(other, 0, None), (RECORD, 1, "TIMEOUT")] == [
        (each.record_id, each.attempts, each.reason) for each in late
    ]
    assert 1 == len(await book.due(1, now=T0 + timedelta(hours=1)))


async def test_receipts_of_many_at_once_are_one_chain(database: Database) -> None:
    """However they come together, the numbers have no gap and each names the one before."""
    book = SqlErasureBook(database)
    records = [bytes([number]) * 16 for number in range(24)]
    async with asyncio.TaskGroup() as group:
        for record in records:
            group.create_task(book.decide(record, cause=Cause.ASKED, now=T0))
    receipts = sorted(
        [each for record in records for each in await book.receipts(record)], key=lambda each: each.number
    )
    assert list(range(1, 25)) == [each.number for each in receipts]
    assert [each.digest for each in receipts] == [receipt_digest(each.body) for each in receipts]
    links = [ORIGIN.hex(), *[each.digest.hex() for each in receipts[:-1]]]
    assert links == [json.loads(each.body)["previous"] for each in receipts]
    assert all(before.number + 1 == after.number for before, after in pairwise(receipts))


async def test_an_unknown_record(database: Database) -> None:
    """Nothing is known of it, and noting something of it does nothing."""
    book = SqlErasureBook(database)
    await book.note_erased(RECORD, block=7, now=T0)
    await book.note_gone(RECORD, now=T0)
    assert await book.erasure(RECORD) is None
    assert [] == await book.receipts(RECORD)
    assert not await book.is_open(RECORD)
    assert [] == await book.forget_payload(RECORD)
