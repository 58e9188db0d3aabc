"""Records that stand move out of objects that something was erased from."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from caregrid.chain import calls
from caregrid.errors import ChainUnreachable, StorageUnreachable
from caregrid.testing import SubmitFault
from ocw_sidecar.pipeline.crashpoints import WorkerCrashPoint
from ocw_sidecar.testing import ORGANISATION
from ocw_sidecar.workers.compaction import course, files, moving, survey, worker
from tests.unit.sidecar.compaction_world import (
    Killed,
    compact,
    compacting,
    content,
    erase,
    objects,
    record,
    remove,
    rests,
)
from tests.unit.sidecar.worker_world import mine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.unit.sidecar.worker_world import Working

CONTENTS = tuple(b"record number %d, " % number * 40 for number in range(6))
POINTS = [each for each in WorkerCrashPoint if each.name.startswith("COMPACTION_")]


@pytest.fixture
async def sidecar(tmp_path: Path) -> AsyncIterator[Working]:
    """A sidecar that compacts whatever has something erased in it."""
    async with compacting(tmp_path) as opened:
        yield opened


async def test_erased_bytes_leave_storage(sidecar: Working) -> None:
    """The others lie in a new object and say what they said; the old one is gone, with the erased bytes."""
    ids = await sidecar.store(*CONTENTS)
    old = (await record(sidecar, ids[0])).object_id
    await erase(sidecar, ids[1], ids[4])
    done = await compact(sidecar)
    assert {"moved": 4, "planned": 1} == {name: done[name] for name in ("moved", "planned")}
    assert 1 == await remove(sidecar)
    kept = [0, 2, 3, 5]
    assert [CONTENTS[each] for each in kept] == [await content(sidecar, ids[each]) for each in kept]
    [new] = await objects(sidecar)
    assert old != new
    assert {new} == {(await record(sidecar, ids[each])).object_id for each in kept}
    assert await rests(sidecar)
    assert 0 == await sidecar.parts.desk.compaction.count_objects()


async def test_the_same_ciphertext_moves(sidecar: Working) -> None:
    """No key is needed: digest and bytes stay, only the place is another."""
    first, second = await sidecar.store(*CONTENTS[:2])
    before = await record(sidecar, second)
    sealed = await sidecar.world.store.read_range(before.object_id, before.offset, before.length)
    await erase(sidecar, first)
    await compact(sidecar)
    after = await record(sidecar, second)
    assert (before.length, before.digest) == (after.length, after.digest)
    assert sealed == await sidecar.world.store.read_range(after.object_id, after.offset, after.length)


async def test_remnants_share_an_object(sidecar: Working) -> None:
    """What is left of several objects lies in one."""
    first, second, third = [await sidecar.store(*CONTENTS[:3]) for _ in range(3)]
    await erase(sidecar, first[0], second[1], third[2])
    done = await compact(sidecar)
    assert (6, 1) == (done["moved"], done["planned"])
    assert 3 == await remove(sidecar)
    assert 1 == len(await objects(sidecar))
    left = {first[1]: 1, first[2]: 2, second[0]: 0, second[2]: 2, third[0]: 0, third[1]: 1}
    for record_id, number in left.items():
        assert CONTENTS[number] == await content(sidecar, record_id)


async def test_what_does_not_fit_goes_into_another(tmp_path: Path) -> None:
    """An object of the bound's size is full; the next remnant begins a new one in the same run."""
    async with compacting(tmp_path, pack_record_limit=2) as sidecar:
        pairs = [await sidecar.store(*CONTENTS[:2]) for _ in range(3)]
        await erase(sidecar, *(pair[0] for pair in pairs))
        done = await compact(sidecar)
        assert (3, 2) == (done["moved"], done["planned"])


async def test_the_queue_follows(sidecar: Working) -> None:
    """Status names the new object, and the pack that was left is gone with its last record."""
    first, second = await sidecar.store(*CONTENTS[:2])
    await erase(sidecar, first)
    await compact(sidecar)
    [view] = await sidecar.rig.bench.queue.records_of(second)
    assert (await record(sidecar, second)).object_id == view.object_id
    assert [second] == await sidecar.parts.desk.ledger.records_of_object(view.object_id or b"", 10)


async def test_little_is_not_worth_an_upload_until_it_is_old(tmp_path: Path) -> None:
    """Below the set share an object waits; after the set days it is compacted whatever its share."""
    wanted = {"min_erased_share": 0.5, "max_days_erased": 7}
    async with compacting(tmp_path, compaction=wanted) as sidecar:
        ids = await sidecar.store(*CONTENTS)
        await erase(sidecar, ids[0])
        assert 0 == (await compact(sidecar))["moved"]
        sidecar.time.now += timedelta(days=8)
        assert 5 == (await compact(sidecar))["moved"]


async def test_more_that_is_erased_ends_the_wait(tmp_path: Path) -> None:
    """Each erasure has the object looked at again."""
    async with compacting(tmp_path, compaction={"min_erased_share": 0.5}) as sidecar:
        ids = await sidecar.store(*CONTENTS[:3])
        await erase(sidecar, ids[0])
        assert 0 == (await compact(sidecar))["moved"]
        await erase(sidecar, ids[1])
        assert 1 == (await compact(sidecar))["moved"]


async def test_few_bytes_are_not_worth_an_upload(tmp_path: Path) -> None:
    """However large their share."""
    async with compacting(tmp_path, compaction={"min_erased_bytes": 1 << 20}) as sidecar:
        ids = await sidecar.store(*CONTENTS[:2])
        await erase(sidecar, ids[0])
        assert 0 == (await compact(sidecar))["moved"]
        assert 1 == await sidecar.parts.desk.compaction.count_objects()


@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_loses_nothing_and_does_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: WorkerCrashPoint
) -> None:
    """Whatever the place, the next process goes on: every record moved once, nothing left behind."""

    def reach(place: WorkerCrashPoint) -> None:
        if place is point:
            raise Killed

    async with compacting(tmp_path) as first:
        ids = await first.store(*CONTENTS)
        await erase(first, ids[0], ids[3])
        with monkeypatch.context() as armed:
            for module in (course, moving, worker):
                armed.setattr(module, "reach", reach)
            with pytest.raises(Killed):
                await compact(first)
        world, time = first.world, first.time
    async with compacting(tmp_path, world, time) as second:
        await compact(second)
        await compact(second)
        await remove(second)
        assert [CONTENTS[each] for each in (1, 2, 4, 5)] == [
            await content(second, ids[each]) for each in (1, 2, 4, 5)
        ]
        assert 1 == len(await objects(second))
        assert await rests(second)
        assert 4 == await moves(second)


async def moves(sidecar: Working) -> int:
    """Return how often the chain has moved a record."""
    head = (await sidecar.world.chain.finalized_head()).number
    count = 0
    async for block in sidecar.world.chain.finalized_blocks(1):
        count += sum(event.name == "RecordMoved" for event in block.events)
        if block.ref.number == head:
            return count
    raise AssertionError


async def test_a_file_that_is_lost_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine leads now, or the disk was replaced: the same plan gives the same object."""

    def reach(place: WorkerCrashPoint) -> None:
        if place is WorkerCrashPoint.COMPACTION_ASSEMBLED:
            raise Killed

    async with compacting(tmp_path) as sidecar:
        ids = await sidecar.store(*CONTENTS[:3])
        await erase(sidecar, ids[0])
        with monkeypatch.context() as armed:
            armed.setattr(course, "reach", reach)
            with pytest.raises(Killed):
                await compact(sidecar)
        [plan] = await sidecar.parts.desk.compaction.open_compactions()
        files.ObjectFiles(sidecar.rig.bench).remove(plan.compaction_id)
        assert 0 == (await compact(sidecar))["moved"]
        assert 2 == (await compact(sidecar))["moved"]
        assert CONTENTS[2] == await content(sidecar, ids[2])
        await remove(sidecar)
        assert [plan.object_id] == await objects(sidecar)


async def test_a_call_that_went_through_unheard_is_not_repeated(sidecar: Working) -> None:
    """The next run finds on the chain where the records lie."""
    ids = await sidecar.store(*CONTENTS[:3])
    await erase(sidecar, ids[0])
    sidecar.world.submitter.faults.append(SubmitFault.UNHEARD)
    assert 0 == (await compact(sidecar))["moved"]
    sent = sidecar.world.submitter.submitted
    sidecar.time.now += timedelta(minutes=1)
    assert 2 == (await compact(sidecar))["moved"]
    assert sent == sidecar.world.submitter.submitted
    assert 2 == await moves(sidecar)


async def test_a_record_erased_in_the_middle_is_left_out(
    sidecar: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes lie in the new object, which is compacted in turn once it is settled."""
    ids = await sidecar.store(*CONTENTS[:4])

    async def erased_meanwhile() -> None:
        await sidecar.world.submitter.submit(calls.erase_record(ORGANISATION, ids[1]))

    put = sidecar.world.store.put

    async def put_slowly(source: Path) -> bytes:
        await erased_meanwhile()
        return await put(source)

    await erase(sidecar, ids[0])
    with monkeypatch.context() as slow:
        slow.setattr(sidecar.world.store, "put", put_slowly)
        assert 2 == (await compact(sidecar))["moved"]
    await remove(sidecar)
    monkeypatch.setattr(survey, "SETTLED_BLOCKS", 3)
    mine(sidecar.world, 5)
    sidecar.time.now += timedelta(hours=7)
    assert 2 == (await compact(sidecar))["moved"]
    await remove(sidecar)
    [only] = await objects(sidecar)
    stat = await sidecar.world.store.stat(only)
    assert stat is not None
    assert sum([(await record(sidecar, each)).length for each in ids[2:]]) == stat.size
    assert [CONTENTS[2], CONTENTS[3]] == [await content(sidecar, each) for each in ids[2:]]


async def test_an_object_that_nothing_was_moved_to_goes(
    sidecar: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything planned was erased meanwhile: neither the old object nor the new one stays in storage."""
    ids = await sidecar.store(*CONTENTS[:3])
    put = sidecar.world.store.put

    async def put_slowly(source: Path) -> bytes:
        for each in ids[1:]:
            await sidecar.world.submitter.submit(calls.erase_record(ORGANISATION, each))
        return await put(source)

    await erase(sidecar, ids[0])
    monkeypatch.setattr(sidecar.world.store, "put", put_slowly)
    assert 0 == (await compact(sidecar))["moved"]
    assert 2 == await remove(sidecar)
    assert [] == await objects(sidecar)
    assert await rests(sidecar)


async def test_a_damaged_source_holds_up_no_other(sidecar: Working, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong bytes never move: their object waits, with its reason in the log, and the others go on."""
    bad, good = [await sidecar.store(*CONTENTS[:3]) for _ in range(2)]
    await erase(sidecar, bad[0], good[0])
    damaged = (await record(sidecar, bad[1])).object_id
    stored = sidecar.world.store._objects
    monkeypatch.setitem(stored, damaged, stored[damaged][:-1] + bytes([stored[damaged][-1] ^ 1]))
    with capture_logs() as logs:
        assert 2 == (await compact(sidecar))["moved"]
    assert ["DIGEST_MISMATCH"] == [each["reason"] for each in logs if each["event"] == "compaction_dropped"]
    assert damaged == (await record(sidecar, bad[1])).object_id
    assert CONTENTS[1] == await content(sidecar, good[1])
    assert await rests(sidecar)


async def test_a_gateway_that_takes_nothing_is_waited_for(
    sidecar: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The finished file stays, and is uploaded later."""
    ids = await sidecar.store(*CONTENTS[:2])
    await erase(sidecar, ids[0])
    with monkeypatch.context() as broken:

        async def unreachable(_source: Path) -> bytes:
            raise StorageUnreachable

        broken.setattr(sidecar.world.store, "put", unreachable)
        assert 0 == (await compact(sidecar))["moved"]
    assert 0 == (await compact(sidecar))["moved"]
    sidecar.time.now += timedelta(minutes=1)
    assert 1 == (await compact(sidecar))["moved"]


async def test_a_full_disk_is_not_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written below the set minimum; the plan is made again when there is room."""
    async with compacting(tmp_path) as sidecar:
        ids = await sidecar.store(*CONTENTS[:2])
        await erase(sidecar, ids[0])
        with monkeypatch.context() as full:
            full.setattr(sidecar.rig.bench.spool, "free_bytes", lambda: 0)
            assert 0 == (await compact(sidecar))["moved"]
            assert await rests(sidecar)
        sidecar.time.now += timedelta(minutes=1)
        assert 1 == (await compact(sidecar))["moved"]


async def test_without_the_chain_the_run_fails(sidecar: Working) -> None:
    """It is tried again with a later block, and nothing is planned meanwhile."""
    ids = await sidecar.store(*CONTENTS[:2])
    await erase(sidecar, ids[0])
    sidecar.world.chain.reachable = False
    with pytest.raises(ChainUnreachable):
        await worker.CompactionWorker(sidecar.parts.desk).run(1)
    sidecar.world.chain.reachable = True
    assert 1 == (await compact(sidecar))["moved"]


async def test_erasures_that_were_missed_are_found(sidecar: Working) -> None:
    """After a rebuild nobody tells of them: the chain is asked object by object, in turn."""
    ids = await sidecar.store(*CONTENTS[:3])
    await erase(sidecar, ids[0])
    [known] = await sidecar.parts.desk.compaction.due_objects(10, now=sidecar.time.now)
    await sidecar.parts.desk.compaction.forget_object(known.object_id)
    compaction = worker.CompactionWorker(sidecar.parts.desk)
    moved = [(await compaction.run(await sidecar.follow()))["moved"] for _ in range(2)]
    assert 2 == sum(moved)


async def test_an_object_under_way_stays(sidecar: Working) -> None:
    """A record is erased before its pack is confirmed: nothing moves until the pack is settled."""
    for each in CONTENTS[:2]:
        await sidecar.submit(each)
    steps = [step for name, step in sidecar.rig.steps() if name != "confirmation"]
    for step in steps * 3:
        await step.run_once()
    head = await sidecar.follow()
    [known] = await sidecar.parts.desk.ledger.longest_unlooked(10)
    assert known.stored_at <= head
    [first, second] = await sidecar.parts.desk.ledger.records_of_object(known.object_id, 10)
    await erase(sidecar, first)
    assert 0 == (await compact(sidecar))["moved"]
    assert known.object_id == (await record(sidecar, second)).object_id


async def test_nothing_is_told_of_what_moves(sidecar: Working) -> None:
    """Logs name objects and counts; neither content nor a patient nor a key."""
    ids = await sidecar.store(*CONTENTS[:3])
    await erase(sidecar, ids[0])
    with capture_logs() as logs:
        await compact(sidecar)
    text = repr(logs)
    [compacted] = [each for each in logs if each["event"] == "object_compacted"]
    assert (2, 0, 1) == (compacted["moved"], compacted["left_out"], compacted["sources"])
    found = await record(sidecar, ids[1])
    assert found.patient_id.hex() not in text
    assert "record number" not in text
