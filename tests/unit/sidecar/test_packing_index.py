"""Where records lie is known from the chain alone, from the moment that they are anchored."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING

import pytest

from caregrid.sealed import open_sealed
from caregrid.storage import file_id_of
from tests.stored import stored_records
from tests.unit.sidecar.worker_world import Working, working

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from caregrid.chain.port import Record

CONTENTS = [b"first", b"second" * 1_000, b"third" * 300_000]


async def sealed_bytes(sidecar: Working, record: Record) -> bytes:
    """Read what the chain says of a record, and compare its digest."""
    sealed = await sidecar.world.store.read_range(record.object_id, record.offset, record.length)
    assert record.digest == hashlib.sha256(sealed).digest()
    return sealed


async def data_key(sidecar: Working, record_id: bytes) -> bytes:
    """Return the custodian's own copy of a record's key."""
    wrapped = await sidecar.rig.bench.queue.releasable_key(record_id)
    assert wrapped is not None
    return sidecar.world.ports.key_store.unwrap(record_id, wrapped)


async def on_chain(sidecar: Working) -> Mapping[bytes, Record]:
    """Return every record that the ledger finds, as the chain has it."""
    ledger = sidecar.parts.desk.ledger
    known = [each.object_id for each in await ledger.longest_unlooked(100)]
    ids = [record for each in known for record in await ledger.records_of_object(each, 100)]
    return await sidecar.world.chain.records(ids)


async def test_without_a_database_the_chain_tells_where_everything_lies(tmp_path: Path) -> None:
    """The home folder is deleted; from block 0 on the index is the same, and every record can be read.

    Data keys are no index: they come from a backup, and open what was found.
    """
    async with working(tmp_path) as sidecar:
        await sidecar.store(*CONTENTS)
        await sidecar.store(b"a later pack")
        before = await on_chain(sidecar)
        keys = {record_id: await data_key(sidecar, record_id) for record_id in before}
        world, time = sidecar.world, sidecar.time
    shutil.rmtree(tmp_path / "home")
    async with working(tmp_path, world, time) as rebuilt:
        assert {} == await on_chain(rebuilt)
        await rebuilt.follow()
        after = await on_chain(rebuilt)
        assert before == after
        assert 2 == len({each.object_id for each in after.values()})
        opened = {
            open_sealed(keys[record_id], record_id, await sealed_bytes(rebuilt, record))
            for record_id, record in after.items()
        }
    assert {*CONTENTS, b"a later pack"} == opened


@pytest.mark.parametrize("limit", ["1KiB", "32MiB"])
async def test_a_record_is_readable_from_the_moment_it_is_anchored(tmp_path: Path, limit: str) -> None:
    """Alone in its object or with others: no step behind the anchoring is needed for it."""
    async with working(tmp_path, pack_size_limit=limit) as sidecar:
        for content in CONTENTS:
            await sidecar.submit(content)
        seen: dict[bytes, bytes] = {}
        steps = [step for name, step in sidecar.rig.steps() if name != "confirmation"]
        while sum([await step.run_once() for step in steps]):
            for record_id in await stored_records(sidecar.world.chain, 0):
                record = await sidecar.world.chain.record(record_id)
                assert record is not None
                key = await data_key(sidecar, record_id)
                seen[record_id] = open_sealed(key, record_id, await sealed_bytes(sidecar, record))
        assert sorted(CONTENTS) == sorted(seen.values())


async def test_nothing_is_anchored_before_it_is_stored(tmp_path: Path) -> None:
    """When a call is sent, its object can be read whole under its file id."""
    async with working(tmp_path) as sidecar:
        for content in CONTENTS:
            await sidecar.submit(content)
        for name, step in sidecar.rig.steps():
            if name == "anchoring":
                break
            await step.run_once()
            await step.run_once()
        assert [] == await stored_records(sidecar.world.chain, 0)
        [entry] = [each async for each in sidecar.world.store.list()]
        assert entry.size is not None
        content = await sidecar.world.store.read_range(entry.object_id, 0, entry.size)
        assert entry.object_id == file_id_of(content)
