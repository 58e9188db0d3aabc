"""Records erased for ever, on the twin chain: what goes, in which order, and what the receipts say."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from caregrid.chain import PatientScope, RecordScope, calls
from caregrid.chain.port import Tombstone
from caregrid.erasures import ReasonCode
from caregrid.errors import StorageUnreachable
from caregrid.testing import SubmitFault
from ocw_sidecar.adapters.opening import QUEUE_FILE
from ocw_sidecar.adapters.sql.erasure_fold import decide
from ocw_sidecar.adapters.sqlite import connection
from ocw_sidecar.pipeline.erasing import LOG_IN_USE
from ocw_sidecar.pipeline.erasure import ORIGIN, Cause, ErasureState, receipt_digest
from ocw_sidecar.pipeline.sql import Statement
from ocw_sidecar.testing import ORGANISATION, PATIENT
from ocw_sidecar.workers.erasure import (
    FOREIGN,
    NOT_ANCHORED,
    OBJECT_STANDS,
    OBJECT_STORED,
    UNDER_WAY,
    ErasureStep,
)
from ocw_sidecar.workers.key_delivery import KeyDeliveryStep
from ocw_sidecar.workers.removal import RemovalStep
from tests.contract.chain_world import new_object, new_record
from tests.unit.sidecar.worker_world import GRANTEE, Working, working

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from ocw_sidecar.pipeline.erasure import Erasure

CANARY = b"Canary Patientia, born 1907"


@pytest.fixture
async def sidecar(tmp_path: Path) -> AsyncIterator[Working]:
    """A sidecar whose packs hold what came in together."""
    async with working(tmp_path) as opened:
        yield opened


async def erase(sidecar: Working, record: bytes, code: ReasonCode | None = None) -> None:
    """Decide that a record is erased."""
    decision = await sidecar.parts.desk.eraser.erase(record, code=code)
    assert decision.fresh


async def work(sidecar: Working) -> int:
    """Run the worker when everything is due, and take in what the chain says."""
    sidecar.time.pass_by(7200)
    done = await ErasureStep(sidecar.parts.desk).run_once()
    await sidecar.follow()
    return done


async def state_of(sidecar: Working, record: bytes) -> Erasure:
    """Return how far an erasure is."""
    found = await sidecar.parts.desk.eraser.book.erasure(record)
    assert found is not None
    return found


async def told(sidecar: Working, record: bytes) -> list[dict[str, Any]]:
    """Return what a record's receipts say."""
    return [json.loads(each.body) for each in await sidecar.parts.desk.eraser.book.receipts(record)]


async def rows(sidecar: Working, statement: str) -> list[Any]:
    """Read the database."""
    read = Statement(name="read", text=statement, postgres=statement)
    return await sidecar.rig.database.read(lambda db: db.execute(read).fetchall())


async def is_on_chain(sidecar: Working, record: bytes) -> bool:
    """Whether a record stands on the chain."""
    return await sidecar.world.chain.record(record) is not None


def is_kept(home: Path, wrapped: bytes) -> bool:
    """Whether a part of a wrapped key stands in any file; a long one is spread over pages."""
    pieces = [wrapped[start : start + 24] for start in range(0, len(wrapped) - 23, 24)]
    files = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    return any(piece in content for piece in pieces for content in files)


async def test_an_erased_record_goes_from_everywhere(sidecar: Working, tmp_path: Path) -> None:
    """Key, escrow, fingerprint at once; then the chain's entry, the object, and the receipt of each."""
    [record] = await sidecar.store(CANARY)
    await sidecar.publish_key()
    for scope in (RecordScope(record_id=record), PatientScope(patient_id=PATIENT)):
        await sidecar.grant(scope)
    await sidecar.follow()
    assert 2 == await KeyDeliveryStep(sidecar.parts.desk).run_once()
    await sidecar.follow()
    wrapped = await sidecar.rig.bench.queue.releasable_key(record)
    escrowed = [bytes(row["wrapped"]) for row in await rows(sidecar, "SELECT wrapped FROM escrow_keys")]
    place = await sidecar.world.chain.record(record)
    assert wrapped is not None
    assert place is not None
    assert 2 == len(escrowed)
    assert all(is_kept(tmp_path / "home", key) for key in (wrapped, *escrowed)), "the search finds them"
    with capture_logs() as logs:
        await erase(sidecar, record, ReasonCode.PATIENT_REQUEST)
    assert await sidecar.rig.bench.queue.releasable_key(record) is None
    assert [] == await rows(sidecar, "SELECT wrapped FROM escrow_keys")
    assert [(None, None)] == [
        tuple(row) for row in await rows(sidecar, "SELECT fingerprint, outcome FROM records")
    ]
    assert not any(is_kept(tmp_path / "home", key) for key in (wrapped, *escrowed))
    assert 1 == await work(sidecar)
    assert isinstance(await sidecar.world.chain.record_view(record), Tombstone)
    assert ErasureState.ERASED == (await state_of(sidecar, record)).state
    assert 1 == await RemovalStep(sidecar.parts.desk).run_once()
    assert 1 == await work(sidecar)
    assert ErasureState.GONE == (await state_of(sidecar, record)).state
    assert await sidecar.world.store.stat(place.object_id) is None
    first, second, third = await told(sidecar, record)
    assert ("keys_destroyed", "asked", "patient-request", 1, 2) == tuple(
        first[name] for name in ("step", "cause", "code", "keys", "escrowed_keys")
    )
    assert ("erased", place.object_id.hex()) == (second["step"], second["object"])
    assert "bytes_gone" == third["step"]
    assert not any(secret in str(logs) for secret in (wrapped.hex(), PATIENT.hex(), GRANTEE.hex()))
    assert not any(secret in str([first, second, third]) for secret in (PATIENT.hex(), GRANTEE.hex()))


async def test_receipts_hang_together(sidecar: Working) -> None:
    """Over all records each holds the digest of the one before, so none can be changed or left out."""
    records = await sidecar.store(b"one", b"two", b"three")
    for record in records:
        await erase(sidecar, record)
    assert 3 == await work(sidecar)
    book = sidecar.parts.desk.eraser.book
    receipts = sorted(
        [each for record in records for each in await book.receipts(record)], key=lambda each: each.number
    )
    assert [1, 2, 3, 4, 5, 6] == [each.number for each in receipts]
    assert [each.digest for each in receipts] == [receipt_digest(each.body) for each in receipts]
    assert ORIGIN.hex() == json.loads(receipts[0].body)["previous"]
    for before, after in pairwise(receipts):
        assert before.digest.hex() == json.loads(after.body)["previous"]


@pytest.mark.parametrize("fault", [SubmitFault.UNHEARD, SubmitFault.LOST])
async def test_a_call_of_unknown_outcome_erases_once(sidecar: Working, fault: SubmitFault) -> None:
    """The chain is asked before anything is sent again."""
    [record] = await sidecar.store(CANARY)
    await erase(sidecar, record)
    sidecar.world.submitter.faults.append(fault)
    assert 0 == await work(sidecar)
    await work(sidecar)
    assert ErasureState.ERASED == (await state_of(sidecar, record)).state
    assert 1 == await erasures_on(sidecar)
    assert ["keys_destroyed", "erased"] == [each["step"] for each in await told(sidecar, record)]


async def erasures_on(sidecar: Working) -> int:
    """Count the chain's events."""
    head, count = await sidecar.world.chain.finalized_head(), 0
    async for block in sidecar.world.chain.finalized_blocks(0):
        count += sum(event.name == "RecordErased" for event in block.events)
        if block.ref == head:
            break
    return count


async def test_what_was_not_read_yet_is_withdrawn(sidecar: Working) -> None:
    """It is nobody's record: nothing of it is left, nothing reaches the chain."""
    submission = await sidecar.submit(CANARY)
    await erase(sidecar, submission)
    for read in (
        "SELECT * FROM submissions",
        "SELECT * FROM payloads",
        "SELECT * FROM keys",
        "SELECT * FROM jobs",
    ):
        assert [] == await rows(sidecar, read), read
    await sidecar.rig.drain()
    assert 0 == await work(sidecar)
    assert ErasureState.WITHDRAWN == (await state_of(sidecar, submission)).state
    assert not await is_on_chain(sidecar, submission)


async def test_a_record_under_way_is_anchored_and_erased(sidecar: Working) -> None:
    """Its pack has others, which must not suffer; it is sealed for ever meanwhile."""
    doomed, other = [await sidecar.submit(content) for content in (CANARY, b"other")]
    await dict(sidecar.rig.steps())["validation"].run_once()
    await erase(sidecar, doomed)
    assert await sidecar.rig.bench.queue.releasable_key(doomed) is None
    assert 0 == await work(sidecar)
    assert NOT_ANCHORED == (await state_of(sidecar, doomed)).reason
    await sidecar.rig.drain()
    await sidecar.follow()
    assert await is_on_chain(sidecar, doomed)
    assert 1 == await work(sidecar)
    assert (False, True) == (await is_on_chain(sidecar, doomed), await is_on_chain(sidecar, other))
    assert 0 == await work(sidecar)
    assert OBJECT_STANDS == (await state_of(sidecar, doomed)).reason
    assert await sidecar.rig.bench.queue.releasable_key(other) is not None


async def test_nothing_is_erased_before_the_pipeline_has_seen_it_anchored(sidecar: Working) -> None:
    """Else it would take the record for lost, and have it anchored anew."""
    record = await sidecar.submit(CANARY)
    steps = dict(sidecar.rig.steps())
    for name in ("validation", "packing", "assembly", "storing", "anchoring"):
        await steps[name].run_once()
    assert await is_on_chain(sidecar, record)
    await erase(sidecar, record)
    assert 0 == await work(sidecar)
    assert UNDER_WAY == (await state_of(sidecar, record)).reason
    await sidecar.rig.drain()
    assert 1 == await work(sidecar)


async def test_what_another_operator_erased_is_destroyed_here(sidecar: Working) -> None:
    """With the block that says so, and with a receipt that says whose word it was."""
    kept, gone = await sidecar.store(b"one", CANARY)
    await sidecar.world.submitter.submit(calls.erase_record(ORGANISATION, gone))
    assert await sidecar.rig.bench.queue.releasable_key(gone) is not None
    await sidecar.follow()
    assert await sidecar.rig.bench.queue.releasable_key(gone) is None
    assert await sidecar.rig.bench.queue.releasable_key(kept) is not None
    assert ErasureState.ERASED == (await state_of(sidecar, gone)).state
    assert [("keys_destroyed", "chain"), ("erased", None)] == [
        (each["step"], each.get("cause")) for each in await told(sidecar, gone)
    ]


async def test_another_custodians_record_is_left_alone(sidecar: Working) -> None:
    """An id that stands on the chain for somebody else is not erased there."""
    doomed = await sidecar.submit(CANARY)
    await dict(sidecar.rig.steps())["validation"].run_once()
    await erase(sidecar, doomed)
    foreign = b"\x44" * 32
    chain = sidecar.world.chain
    await chain.submitter(foreign).submit(calls.register_organisation([]))
    await chain.submitter(foreign).submit(calls.register_patient(foreign, b"\x45" * 32))
    entry, record = foreign_object(doomed)
    await chain.submitter(foreign).submit(calls.store_emr_batch(foreign, entry, [record]))
    assert 0 == await work(sidecar)
    assert FOREIGN == (await state_of(sidecar, doomed)).reason
    assert await is_on_chain(sidecar, doomed)


def foreign_object(record_id: bytes) -> tuple[Any, Any]:
    """Return an object with one record of a given id."""
    return new_object(1), replace(new_record(b"\x45" * 32), record_id=record_id)


async def test_the_receipt_waits_until_storage_has_let_go(
    sidecar: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as the object is there, or nobody can tell, its bytes are not said to be gone."""
    [record] = await sidecar.store(CANARY)
    await erase(sidecar, record)
    assert 1 == await work(sidecar)
    assert 0 == await work(sidecar)
    assert OBJECT_STORED == (await state_of(sidecar, record)).reason
    assert 1 == await RemovalStep(sidecar.parts.desk).run_once()
    with monkeypatch.context() as broken:

        async def unreachable(_object_id: bytes) -> None:
            raise StorageUnreachable

        broken.setattr(sidecar.world.store, "stat", unreachable)
        assert 0 == await work(sidecar)
        assert StorageUnreachable.code == (await state_of(sidecar, record)).reason
    assert 1 == await work(sidecar)
    assert ErasureState.GONE == (await state_of(sidecar, record)).state


async def test_a_log_that_is_being_read_is_emptied_later(
    sidecar: Working, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key still stands in it, so nothing is called gone before; a long read delays no decision."""
    [record] = await sidecar.store(CANARY)
    wrapped = await sidecar.rig.bench.queue.releasable_key(record)
    assert wrapped is not None
    home = tmp_path / "home"
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_S", 0.05)
    with closing(sqlite3.connect(home / QUEUE_FILE, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM keys").fetchall()
        await erase(sidecar, record)
        assert is_kept(home, wrapped)
        assert 1 == await work(sidecar)
        assert 1 == await RemovalStep(sidecar.parts.desk).run_once()
        assert 0 == await work(sidecar)
        assert LOG_IN_USE == (await state_of(sidecar, record)).reason
    assert 1 == await work(sidecar)
    assert not is_kept(home, wrapped)
    assert ErasureState.GONE == (await state_of(sidecar, record)).state


async def test_erasing_twice_changes_nothing(sidecar: Working) -> None:
    """The second time is neither an error nor another receipt."""
    [record] = await sidecar.store(CANARY)
    await erase(sidecar, record)
    before = await told(sidecar, record)
    sidecar.time.now += timedelta(days=1)
    again = await sidecar.parts.desk.eraser.erase(record, code=ReasonCode.LEGAL_ORDER)
    assert (False, False) == (again.fresh, again.destroyed)
    assert before == await told(sidecar, record)


async def test_a_delivery_that_had_the_key_keeps_nothing(
    sidecar: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that unwrapped the key before the decision may not put it into escrow after it."""
    [record] = await sidecar.store(CANARY)
    await sidecar.publish_key()
    scope = RecordScope(record_id=record)
    await sidecar.grant(scope)
    await sidecar.follow()
    step = KeyDeliveryStep(sidecar.parts.desk)
    wrap = step._wrap

    def late(*given: Any) -> Any:
        wrapped = wrap(*given)
        sidecar.rig.database.begin_write(lambda db: decide_now(db, record)).result()
        return wrapped

    monkeypatch.setattr(step, "_wrap", late)
    await step.run_once()
    assert [] == await rows(sidecar, "SELECT * FROM escrow_keys")


def decide_now(db: Any, record: bytes) -> Any:
    """Decide in a transaction of its own."""
    return decide(db, record, Cause.ASKED, None, 1)
