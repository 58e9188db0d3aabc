"""A sidecar whose records are erased and moved, and what tests of that look at."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from caregrid.chain import calls
from caregrid.sealed import open_sealed
from ocw_sidecar.testing import ORGANISATION
from ocw_sidecar.workers.compaction import CompactionWorker
from ocw_sidecar.workers.removal import RemovalStep
from tests.unit.sidecar.worker_world import working

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from caregrid.chain.port import Record
    from ocw_sidecar.testing import World
    from tests.unit.sidecar.worker_world import Time, Working


class Killed(BaseException):
    """Stands in for `kill -9` at a named place; no handler catches it."""


@asynccontextmanager
async def compacting(
    folder: Path, world: World | None = None, time: Time | None = None, **changes: Any
) -> AsyncIterator[Working]:
    """Open a sidecar for which every erased byte is worth an upload, unless `changes` say otherwise."""
    wanted = {"min_erased_bytes": 0, "min_erased_share": 0, **changes.pop("compaction", {})}
    async with working(folder, world, time, workers={"compaction": wanted}, **changes) as opened:
        yield opened


async def erase(sidecar: Working, *record_ids: bytes) -> None:
    """Erase records on the chain, and follow it."""
    for record_id in record_ids:
        await sidecar.world.submitter.submit(calls.erase_record(ORGANISATION, record_id))
    await sidecar.follow()


async def compact(sidecar: Working) -> Mapping[str, int]:
    """Run the worker once, as of the head, and follow what came of it."""
    done = await CompactionWorker(sidecar.parts.desk).run(await sidecar.follow())
    await sidecar.follow()
    return done


async def remove(sidecar: Working) -> int:
    """Have storage give up what the chain has given up."""
    return await RemovalStep(sidecar.parts.desk).run_once()


async def record(sidecar: Working, record_id: bytes) -> Record:
    """Return a record as the chain has it."""
    found = await sidecar.world.chain.record(record_id)
    assert found is not None
    return found


async def content(sidecar: Working, record_id: bytes) -> bytes:
    """Return a record's content as the chain and the custodian's key give it, digest checked."""
    found = await record(sidecar, record_id)
    sealed = await sidecar.world.store.read_range(found.object_id, found.offset, found.length)
    assert found.digest == hashlib.sha256(sealed).digest()
    stored = await sidecar.rig.bench.queue.releasable_key(record_id)
    assert stored is not None
    return open_sealed(sidecar.world.ports.key_store.unwrap(record_id, stored), record_id, sealed)


async def objects(sidecar: Working) -> list[bytes]:
    """Return the ids of everything that is stored."""
    return [entry.object_id async for entry in sidecar.world.store.list()]


async def rests(sidecar: Working) -> bool:
    """Whether nothing is under way and no file is left."""
    folder = sidecar.rig.bench.settings.home / "compaction"
    return not await sidecar.parts.desk.compaction.open_compactions() and not list(folder.iterdir())
