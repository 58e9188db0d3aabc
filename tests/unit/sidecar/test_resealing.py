"""A record that is sealed anew under another data key."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from caregrid.chain import RecordScope, calls
from caregrid.chain.port import Escrowed
from caregrid.errors import KeyStoreLocked, SealBroken
from caregrid.keys import unwrap_data_key
from caregrid.sealed import open_sealed
from ocw_sidecar.ledger.escrow import escrow_digest
from ocw_sidecar.pipeline.crashpoints import WorkerCrashPoint
from ocw_sidecar.testing import ORGANISATION
from ocw_sidecar.workers.compaction import course, moving, worker
from ocw_sidecar.workers.key_delivery import KeyDeliveryStep
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
from tests.unit.sidecar.worker_world import GRANTEE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.unit.sidecar.worker_world import Working

#: More than two segments, so that it passes piece by piece.
LARGE = bytes(range(256)) * 9_000
POINTS = [each for each in WorkerCrashPoint if each.name.startswith("COMPACTION_")]


@pytest.fixture
async def sidecar(tmp_path: Path) -> AsyncIterator[Working]:
    """A sidecar that seals anew what it is asked to."""
    async with compacting(tmp_path) as opened:
        yield opened


async def ask(sidecar: Working, record_id: bytes) -> None:
    """Ask for a record to be sealed anew."""
    await sidecar.parts.desk.compaction.ask_reseal(record_id, sidecar.time.now)


async def data_key(sidecar: Working, record_id: bytes) -> bytes:
    """Return the custodian's data key of a record."""
    stored = await sidecar.rig.bench.queue.releasable_key(record_id)
    assert stored is not None
    return sidecar.world.ports.key_store.unwrap(record_id, stored)


@pytest.mark.parametrize("original", [b"small", LARGE], ids=["small", "large"])
async def test_the_old_key_opens_nothing_that_is_stored(sidecar: Working, original: bytes) -> None:
    """The content is the same, key and bytes are others, and the old bytes leave storage."""
    [record_id] = await sidecar.store(original)
    before, old = await record(sidecar, record_id), await data_key(sidecar, record_id)
    await ask(sidecar, record_id)
    assert 1 == (await compact(sidecar))["moved"]
    assert 1 == await remove(sidecar)
    after, new = await record(sidecar, record_id), await data_key(sidecar, record_id)
    assert original == await content(sidecar, record_id)
    assert old != new
    assert before.digest != after.digest
    sealed = await sidecar.world.store.read_range(after.object_id, after.offset, after.length)
    with pytest.raises(SealBroken):
        open_sealed(old, record_id, sealed)
    assert [after.object_id] == await objects(sidecar)
    request = await sidecar.parts.desk.compaction.reseal_request(record_id)
    assert request is not None
    assert sidecar.time.now == request.done_at
    assert await rests(sidecar)


async def test_what_else_lay_in_the_object_moves_too(sidecar: Working) -> None:
    """What was moved out leaves its bytes behind, which the next compaction gets rid of."""
    first, second = await sidecar.store(b"first", b"second")
    old = (await record(sidecar, first)).object_id
    await ask(sidecar, first)
    await compact(sidecar)
    await compact(sidecar)
    await remove(sidecar)
    assert [b"first", b"second"] == [await content(sidecar, each) for each in (first, second)]
    assert old not in await objects(sidecar)


async def test_live_grants_get_the_new_key(sidecar: Working) -> None:
    """What was in escrow is destroyed; the new key is wrapped and delivered, and the chain has it."""
    [record_id] = await sidecar.store(b"shared")
    pair, scope = await sidecar.publish_key(), RecordScope(record_id=record_id)
    await sidecar.grant(scope)
    await sidecar.follow()
    await KeyDeliveryStep(sidecar.parts.desk).run_once()
    await sidecar.follow()
    [escrowed] = await sidecar.parts.desk.ledger.escrow(scope, GRANTEE)
    await ask(sidecar, record_id)
    await compact(sidecar)
    assert [] == await sidecar.parts.desk.ledger.escrow(scope, GRANTEE)
    assert 1 == await KeyDeliveryStep(sidecar.parts.desk).run_once()
    [again] = await sidecar.parts.desk.ledger.escrow(scope, GRANTEE)
    assert escrowed.wrapped != again.wrapped
    assert await data_key(sidecar, record_id) == unwrap_data_key(pair, again.wrapped, record_id, GRANTEE)
    grant = await sidecar.world.chain.grant(scope, GRANTEE)
    assert grant is not None
    assert Escrowed(digest=escrow_digest(scope, [again]), key_version=1) == grant.key


@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_leaves_a_record_that_opens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: WorkerCrashPoint
) -> None:
    """At each place one key or the other is there; the next process finishes, with one object and one key."""

    def reach(place: WorkerCrashPoint) -> None:
        if place is point:
            raise Killed

    async with compacting(tmp_path) as first:
        [record_id] = await first.store(LARGE)
        old = await data_key(first, record_id)
        await ask(first, record_id)
        with monkeypatch.context() as armed:
            for module in (course, moving, worker):
                armed.setattr(module, "reach", reach)
            with pytest.raises(Killed):
                await compact(first)
        world, time = first.world, first.time
    async with compacting(tmp_path, world, time) as second:
        for _ in range(2):
            await compact(second)
        await remove(second)
        assert LARGE == await content(second, record_id)
        assert old != await data_key(second, record_id)
        assert 1 == len(await objects(second))
        assert await rests(second)


async def test_an_erased_record_is_not_sealed_anew(sidecar: Working) -> None:
    """The wish goes with the record, and so does a key that was made for it."""
    kept, erased = await sidecar.store(b"kept", b"erased")
    await ask(sidecar, erased)
    await erase(sidecar, erased)
    assert await sidecar.parts.desk.compaction.reseal_request(erased) is None
    await compact(sidecar)
    assert b"kept" == await content(sidecar, kept)


async def test_an_erasure_destroys_the_key_under_way(
    sidecar: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record erased after its new bytes were stored: neither bytes nor key stay."""
    [record_id] = await sidecar.store(b"erased in the middle")
    put = sidecar.world.store.put

    async def put_slowly(source: Path) -> bytes:
        await sidecar.world.submitter.submit(calls.erase_record(ORGANISATION, record_id))
        return await put(source)

    await ask(sidecar, record_id)
    monkeypatch.setattr(sidecar.world.store, "put", put_slowly)
    assert 0 == (await compact(sidecar))["moved"]
    await remove(sidecar)
    assert [] == await objects(sidecar)
    assert await sidecar.parts.desk.compaction.reseal_request(record_id) is None
    assert await rests(sidecar)


async def test_a_locked_key_store_is_waited_for(sidecar: Working, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record stays as it is, the reason can be read, and a later run succeeds."""
    [record_id] = await sidecar.store(b"locked")

    def locked(_record_id: bytes, _wrapped: bytes) -> bytes:
        raise KeyStoreLocked

    await ask(sidecar, record_id)
    with monkeypatch.context() as closed:
        closed.setattr(sidecar.world.ports.key_store, "unwrap", locked)
        assert 0 == (await compact(sidecar))["moved"]
    request = await sidecar.parts.desk.compaction.reseal_request(record_id)
    assert request is not None
    assert (1, "KEY_STORE_LOCKED", None) == (request.attempts, request.reason, request.done_at)
    sidecar.time.now += timedelta(minutes=1)
    assert 1 == (await compact(sidecar))["moved"]
    assert b"locked" == await content(sidecar, record_id)


async def test_a_record_under_way_waits(sidecar: Working) -> None:
    """Its pack is confirmed first, or the pipeline would take the moved record for somebody else's."""
    record_id = await sidecar.submit(b"under way")
    for step in [step for name, step in sidecar.rig.steps() if name != "confirmation"] * 3:
        await step.run_once()
    await ask(sidecar, record_id)
    assert 0 == (await compact(sidecar))["moved"]
    await sidecar.rig.drain()
    sidecar.time.now += timedelta(minutes=1)
    assert 1 == (await compact(sidecar))["moved"]


async def test_no_plaintext_and_no_key_is_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a record is sealed anew neither its content nor its data keys are on disk or in a log."""

    def reach(place: WorkerCrashPoint) -> None:
        if place is WorkerCrashPoint.COMPACTION_WRITTEN:
            raise Killed

    canary = b"Canary Patientia, born 1907, " * 50_000
    async with compacting(tmp_path) as sidecar:
        [record_id] = await sidecar.store(canary)
        old = await data_key(sidecar, record_id)
        await ask(sidecar, record_id)
        with monkeypatch.context() as armed, capture_logs() as logs:
            armed.setattr(course, "reach", reach)
            with pytest.raises(Killed):
                await compact(sidecar)
            armed.undo()
            on_disk = everything(tmp_path)
            await compact(sidecar)
        new = await data_key(sidecar, record_id)
        on_disk += everything(tmp_path)
    for secret in (canary[:29], old, new):
        assert secret not in on_disk
        assert secret.hex() not in repr(logs)


def everything(folder: Path) -> bytes:
    """Return what all files of a folder hold."""
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
