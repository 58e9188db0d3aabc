"""A backup that is restored brings no erased record back."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from structlog.testing import capture_logs

from caregrid.chain import calls
from caregrid.errors import ChainUnreachable
from ocw_sidecar.adapters.erasure_list import LIST_FILE
from ocw_sidecar.adapters.opening import QUEUE_FILE
from ocw_sidecar.adapters.sqlite.backup import back_up
from ocw_sidecar.operating import meanwhile
from ocw_sidecar.pipeline.erasure import ErasureState
from ocw_sidecar.pipeline.keeping_erased import SWEEP_BEHIND, keep_erased
from ocw_sidecar.pipeline.migrations import SCHEMA_VERSION
from ocw_sidecar.testing import ORGANISATION
from ocw_sidecar.workers.erasure import OBJECT_STANDS, ErasureStep
from tests.unit.sidecar.test_erasure import rows
from tests.unit.sidecar.worker_world import Working, mine, working

if TYPE_CHECKING:
    from pathlib import Path


def take_backup(home: Path) -> Path:
    """Copy the database as an upgrade does, while the sidecar has it open."""
    path = home / QUEUE_FILE
    with closing(sqlite3.connect(path)) as source:
        back_up(source, path, version=SCHEMA_VERSION, now=datetime(2030, 1, 1, tzinfo=UTC))
    [copy] = (home / "backups").iterdir()
    return copy


def restore(home: Path, copy: Path) -> None:
    """Put a copy in the place of the stopped sidecar's database."""
    for suffix in ("-wal", "-shm"):
        (home / f"{QUEUE_FILE}{suffix}").unlink(missing_ok=True)
    copy.replace(home / QUEUE_FILE)


async def keys_of(sidecar: Working, *records: bytes) -> list[bool]:
    """Whether there is a key of each record."""
    return [await sidecar.rig.bench.queue.releasable_key(record) is not None for record in records]


async def look(sidecar: Working) -> bool:
    """Do what a start does before it serves."""
    desk = sidecar.parts.desk
    return await keep_erased(desk.eraser, cursor=await desk.block_log.cursor())


async def erased_after_backup(sidecar: Working, home: Path) -> tuple[Path, bytes, bytes]:
    """Back up, then erase one record of two, up to the chain; return the copy and both ids."""
    kept, gone = await sidecar.store(b"kept", b"gone")
    copy = take_backup(home)
    await sidecar.parts.desk.eraser.erase(gone, code=None)
    assert 1 == await ErasureStep(sidecar.parts.desk).run_once()
    return copy, kept, gone


async def test_what_a_backup_brings_back_is_destroyed_by_the_list(tmp_path: Path) -> None:
    """Without a word of the chain, before anything is served; what was not erased is untouched."""
    home = tmp_path / "home"
    async with working(tmp_path) as first:
        copy, kept, gone = await erased_after_backup(first, home)
        world, time = first.world, first.time
    restore(home, copy)
    async with working(tmp_path, world, time) as second:
        assert [True, True] == await keys_of(second, kept, gone), "the backup has both"
        second.world.chain.reachable = False
        with capture_logs() as logs:
            assert not await look(second)
        assert [True, False] == await keys_of(second, kept, gone)
        assert ["erasures_replayed", "erasures_not_looked_up"] == [
            each["event"] for each in logs if each["log_level"] == "warning"
        ]
        second.world.chain.reachable = True
        second.time.pass_by(60)
        assert 1 == await ErasureStep(second.parts.desk).run_once()
        found = await second.parts.desk.eraser.book.erasure(gone)
        assert found is not None
        assert ErasureState.ERASED == found.state


async def test_what_was_on_its_way_in_the_backup_comes_to_rest(tmp_path: Path) -> None:
    """Anchored and erased since, it is refused by the chain; its bytes go, and its pack's others do not."""
    home = tmp_path / "home"
    async with working(tmp_path) as first:
        kept, gone = [await first.submit(content) for content in (b"kept", b"gone")]
        await dict(first.rig.steps())["validation"].run_once()
        copy = take_backup(home)
        files = {path: path.read_bytes() for path in (home / "spool").rglob("*") if path.is_file()}
        await first.rig.drain()
        await first.follow()
        await first.parts.desk.eraser.erase(gone, code=None)
        assert 1 == await ErasureStep(first.parts.desk).run_once()
        world, time = first.world, first.time
    restore(home, copy)
    for path, content in files.items():
        path.write_bytes(content)
    async with working(tmp_path, world, time) as second:
        await look(second)
        assert [True, False] == await keys_of(second, kept, gone)
        for _ in range(4):
            await second.rig.drain()
            second.time.pass_by(7200)
            await ErasureStep(second.parts.desk).run_once()
        found = await second.parts.desk.eraser.book.erasure(gone)
        assert found is not None
        assert (ErasureState.ERASED, OBJECT_STANDS) == (found.state, found.reason)
        payloads = await rows(second, "SELECT id FROM payloads")
        states = await rows(second, "SELECT id, state FROM records")
        assert ([], [(kept, "confirmed")]) == (payloads, [tuple(row) for row in states])
        assert await second.world.chain.record(kept) is not None


async def test_with_the_list_lost_the_chain_tells(tmp_path: Path) -> None:
    """A new machine has the backup alone; every key is looked up once, and then there is a list."""
    home = tmp_path / "home"
    async with working(tmp_path) as first:
        copy, kept, gone = await erased_after_backup(first, home)
        world, time = first.world, first.time
    restore(home, copy)
    (home / LIST_FILE).unlink()
    async with working(tmp_path, world, time) as second:
        assert await look(second)
        assert [True, False] == await keys_of(second, kept, gone)
        assert (home / LIST_FILE).exists()
        assert not await look(second), "nothing gives cause to look at all keys again"


async def test_a_database_that_is_far_behind_is_looked_through(tmp_path: Path) -> None:
    """The list names nothing that it does not know, but another operator may have erased meanwhile."""
    async with working(tmp_path) as sidecar:
        kept, gone = await sidecar.store(b"kept", b"gone")
        sidecar.parts.desk.eraser.listed.begin()
        await sidecar.world.submitter.submit(calls.erase_record(ORGANISATION, gone))
        assert not await look(sidecar)
        mine(sidecar.world, SWEEP_BEHIND)
        assert await look(sidecar)
        assert [True, False] == await keys_of(sidecar, kept, gone)


async def test_blocks_that_are_never_followed_hide_no_erasure(tmp_path: Path) -> None:
    """A clock that begins at the head looks the keys up, since nobody tells it of the blocks before."""
    async with working(tmp_path) as sidecar:
        kept, gone = [await sidecar.submit(content) for content in (b"kept", b"gone")]
        await sidecar.rig.drain()
        await sidecar.world.submitter.submit(calls.erase_record(ORGANISATION, gone))
        assert await sidecar.parts.desk.block_log.cursor() is None
        async with asyncio.timeout(30), meanwhile(sidecar.parts.crew.clock.run):
            while await sidecar.parts.desk.block_log.cursor() is None:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
        assert [True, False] == await keys_of(sidecar, kept, gone)


async def test_a_foreign_tombstone_destroys_nothing(tmp_path: Path) -> None:
    """What another custodian erased under the same id is his affair."""
    async with working(tmp_path) as sidecar:
        [record] = await sidecar.store(b"kept")
        await sidecar.world.submitter.submit(calls.erase_record(ORGANISATION, record))
        eraser = sidecar.parts.desk.eraser
        settings = eraser.bench.settings.model_copy(update={"organisation": b"\x77" * 32})
        assert 0 == await replace(eraser, bench=replace(eraser.bench, settings=settings)).sweep()
        assert [True] == await keys_of(sidecar, record)


async def test_a_chain_that_is_away_keeps_nobody_from_starting(tmp_path: Path) -> None:
    """It is asked again at the next start: the list stays missing."""
    async with working(tmp_path) as sidecar:
        [record] = await sidecar.store(b"kept")
        sidecar.world.chain.reachable = False
        with pytest.raises(ChainUnreachable):
            await sidecar.parts.desk.eraser.sweep()
        assert not await look(sidecar)
        assert not sidecar.parts.desk.eraser.listed.is_there()
        sidecar.world.chain.reachable = True
        assert [True] == await keys_of(sidecar, record)
