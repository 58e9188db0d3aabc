"""An object all of whose records are erased goes from the storage network, too."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from caregrid.chain import calls
from caregrid.errors import StorageUnreachable
from caregrid.records import ObjectEntry
from ocw_sidecar.adapters.sql.storage import SQL
from ocw_sidecar.testing import ORGANISATION
from ocw_sidecar.workers.removal import RemovalStep
from tests.unit.sidecar.worker_world import Working, working

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from caregrid.chain.port import Record
    from caregrid.records import RecordEntry
    from ocw_sidecar.pipeline.items import Pack


@pytest.fixture
async def sidecar(tmp_path: Path) -> AsyncIterator[Working]:
    """A sidecar whose packs hold what came in together."""
    async with working(tmp_path) as opened:
        yield opened


async def record_of(sidecar: Working, submission: bytes) -> Record:
    """Return the only record of a submission, as the chain has it."""
    [view] = await sidecar.rig.bench.queue.records_of(submission)
    record = await sidecar.world.chain.record(view.record_id)
    assert record is not None
    return record


async def erase(sidecar: Working, record_id: bytes) -> None:
    """Erase a record on the chain, and follow it."""
    await sidecar.world.submitter.submit(calls.erase_record(ORGANISATION, record_id))
    await sidecar.follow()


async def is_stored(sidecar: Working, record: Record) -> bool:
    """Whether the storage network has a record's object."""
    return await sidecar.world.store.stat(record.object_id) is not None


async def remove(sidecar: Working) -> int:
    """Run the step."""
    return await RemovalStep(sidecar.parts.desk).run_once()


async def test_the_object_goes_with_its_last_record(sidecar: Working) -> None:
    """Not before: of two records in one pack, the second is readable until it is erased as well."""
    first, second = [await record_of(sidecar, each) for each in await sidecar.store(b"one", b"two")]
    assert first.object_id == second.object_id
    await erase(sidecar, first.record_id)
    assert 0 == await remove(sidecar)
    assert await is_stored(sidecar, second)
    await erase(sidecar, second.record_id)
    assert 1 == await remove(sidecar)
    assert not await is_stored(sidecar, second)
    assert 0 == await remove(sidecar)


async def test_a_removal_outlives_a_restart_and_an_outage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is to go is known after a kill, and tried until the gateway answers."""
    async with working(tmp_path) as first:
        [submission] = await first.store(b"one")
        record = await record_of(first, submission)
        await erase(first, record.record_id)
        world, time = first.world, first.time
    async with working(tmp_path, world, time) as second:
        with monkeypatch.context() as broken:

            async def unreachable(_object_id: bytes) -> bool:
                raise StorageUnreachable

            broken.setattr(second.world.store, "delete", unreachable)
            assert 1 == await remove(second)
        assert 0 == await remove(second)
        time.now += timedelta(minutes=1)
        assert 1 == await remove(second)
        assert not await is_stored(second, record)


async def test_removing_twice_does_no_harm(sidecar: Working) -> None:
    """A crash between the deletion and its note leaves a removal of what is gone."""
    [submission] = await sidecar.store(b"one")
    record = await record_of(sidecar, submission)
    await erase(sidecar, record.record_id)
    assert await sidecar.world.store.delete(record.object_id)
    assert 1 == await remove(sidecar)
    assert (0, 0) == await sidecar.parts.desk.storage.counts()


async def test_what_the_chain_has_is_never_removed(sidecar: Working) -> None:
    """A removal is checked against the chain when it is due, whatever was noted."""
    [submission] = await sidecar.store(b"one")
    record = await record_of(sidecar, submission)
    noted = {"object": record.object_id, "height": 1, "now": 0}
    await sidecar.rig.database.write(lambda db: db.execute(SQL["put_removal"], noted).rowcount)
    assert 1 == await remove(sidecar)
    assert await is_stored(sidecar, record)
    assert (0, 0) == await sidecar.parts.desk.storage.counts()


async def test_a_pack_that_is_not_settled_keeps_its_object(sidecar: Working) -> None:
    """A record is erased before the other one of its pack is anchored: the object stays for that one."""
    for content in (b"one", b"two"):
        await sidecar.submit(content)
    pack, [first, second] = await stored_pack(sidecar)
    entry = ObjectEntry(
        object_id=pack.object_id or b"",
        size=pack.size,
        record_count=pack.record_count,
        manifest_root=pack.manifest_root or b"",
    )
    await sidecar.world.submitter.submit(calls.store_emr_batch(ORGANISATION, entry, [first]))
    await erase(sidecar, first.record_id)
    assert 1 == await remove(sidecar)
    assert (0, 1) == await sidecar.parts.desk.storage.counts()
    await sidecar.rig.drain()
    await sidecar.follow()
    record = await sidecar.world.chain.record(second.record_id)
    assert record is not None
    assert await is_stored(sidecar, record)
    assert (0, 0) == await sidecar.parts.desk.storage.counts()


async def stored_pack(sidecar: Working) -> tuple[Pack, list[RecordEntry]]:
    """Let the pipeline come as far as a stored object; return its pack and what would be anchored."""
    for _, step in [each for each in sidecar.rig.steps() if each[0] not in {"anchoring", "confirmation"}] * 2:
        await step.run_once()
    queue = sidecar.rig.bench.queue
    [pack_id] = await queue.open_packs()
    pack = await queue.pack(pack_id)
    assert pack is not None
    return pack, [each.entry for each in await queue.pack_records(pack_id)]
